//! The programs that commands find on a simulated machine.
//!
//! A [`Program`] works on a [`Session`]: the world, the place, the environment. To teach the lab a program,
//! implement the trait and add it to the registry in [`find`].

mod files;
mod ip;
mod ip_show;
mod net;
mod ping;
mod session;
mod shells;
mod system;
mod systemctl;
mod systemd_run;
mod text;
mod virtual_files;

pub use session::{Access, Halt, Io, Outcome, Session};
pub use system::sleep_time;

/// What a program gives: its exit status, or the end of everything.
pub type Ran = Result<i32, Halt>;

/// A program of the simulated machines.
pub trait Program: Sync {
    /// The names that it is found under.
    fn names(&self) -> &[&'static str];

    /// Runs it. `args` has its name first.
    fn run(&self, session: &mut Session, args: &[String], io: &mut Io) -> Ran;
}

/// A program that is a function.
pub struct Native {
    names: &'static [&'static str],
    run: fn(&mut Session, &[String], &mut Io) -> Ran,
}

impl Program for Native {
    fn names(&self) -> &[&'static str] {
        self.names
    }

    fn run(&self, session: &mut Session, args: &[String], io: &mut Io) -> Ran {
        (self.run)(session, args, io)
    }
}

const fn native(
    names: &'static [&'static str],
    run: fn(&mut Session, &[String], &mut Io) -> Ran,
) -> Native {
    Native { names, run }
}

/// All programs.
static REGISTRY: &[Native] = &[
    native(&["ip"], ip::ip),
    native(&["ping"], ping::ping),
    native(&["systemctl"], systemctl::systemctl),
    native(&["systemd-run"], systemd_run::systemd_run),
    native(&["journalctl"], system::journalctl),
    native(&["sh", "bash", "ash"], shells::sh),
    native(&["env"], shells::env),
    native(&["timeout"], shells::timeout),
    native(&["sudo", "nohup", "exec", "setsid"], shells::prefix),
    native(&["command", "which"], shells::command),
    native(&["cat"], files::cat),
    native(&["test", "["], files::test),
    native(&["ls"], files::ls),
    native(&["stat"], files::stat),
    native(&["cp"], files::cp),
    native(&["mv"], files::mv),
    native(&["rm"], files::rm),
    native(&["mkdir"], files::mkdir),
    native(&["touch"], files::touch),
    native(&["chmod"], files::chmod),
    native(&["ln"], files::ln),
    native(&["readlink"], files::readlink),
    native(&["basename", "dirname"], files::names),
    native(&["tee"], files::tee),
    native(&["echo"], text::echo),
    native(&["printf"], text::printf),
    native(&["grep"], text::grep),
    native(&["head", "tail"], text::ends),
    native(&["wc"], text::wc),
    native(&["cut"], text::cut),
    native(&["tr"], text::tr),
    native(&["sort", "uniq"], text::sort),
    native(&["sed"], text::sed),
    native(&["true", ":"], system::succeed),
    native(&["false"], system::fail),
    native(&["sleep"], system::sleep),
    native(&["id"], system::id),
    native(&["uname"], system::uname),
    native(&["hostname"], system::hostname),
    native(&["date"], system::date),
    native(&["sysctl"], system::sysctl),
    native(&["ps"], system::ps),
    native(&["reboot"], system::reboot),
    native(&["ss"], net::ss),
    native(&["nc"], net::nc),
    native(&["nft"], net::nft),
    native(&["ufw"], net::ufw),
    native(&["iptables-save"], net::iptables_save),
    native(&["openssl"], net::openssl),
    native(&["tailscale"], net::tailscale),
];

/// The program of this name.
pub fn find(name: &str) -> Option<&'static dyn Program> {
    let base = name.rsplit('/').next().unwrap_or(name);
    REGISTRY
        .iter()
        .find(|program| program.names.contains(&base))
        .map(|program| program as &dyn Program)
}
