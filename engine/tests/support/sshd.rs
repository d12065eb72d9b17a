//! A private sshd on loopback: its own configuration, keys and port, as the current user, killed at the end.

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

use runbook::transport::SshRoute;
use tempfile::TempDir;

/// A running sshd.
pub struct Sshd {
    process: Child,
    /// Everything is in here.
    pub directory: TempDir,
    /// Its port on 127.0.0.1.
    pub port: u16,
}

impl Sshd {
    /// Starts one; `None`, with a visible message, if no sshd is installed. With `RUNBOOK_REQUIRE_SSHD=1` that
    /// is a failure instead. `extra` is appended to its configuration.
    pub fn start(extra: &str) -> Option<Self> {
        let Some(program) = program() else {
            let required = std::env::var_os("RUNBOOK_REQUIRE_SSHD").is_some_and(|v| v == "1");
            assert!(
                !required,
                "RUNBOOK_REQUIRE_SSHD=1 but there is no sshd (install openssh-server)"
            );
            eprintln!("SKIPPED: there is no sshd here (install openssh-server)");
            return None;
        };
        let directory = TempDir::new().unwrap();
        let port = free_port();
        lay(directory.path(), port, extra);
        let sshd = Self {
            process: spawn(&program, directory.path()),
            directory,
            port,
        };
        listens(sshd.directory.path(), port).unwrap();
        Some(sshd)
    }

    /// A file of the server's directory: keys `host`, `user`, `stranger`; `known_hosts`, `config`, `log`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The way to it, through an ssh configuration of its own: the alias `private`.
    pub fn route(&self) -> SshRoute {
        SshRoute {
            destination: "private".into(),
            config: Some(self.file("config")),
            ..SshRoute::default()
        }
    }

    /// Kills the server's side of every connection, as a network that goes away would.
    pub fn drop_connections(&self) {
        for pid in self.connections() {
            let _ = Process::new("kill")
                .args(["-9", &pid])
                .stderr(Stdio::null())
                .status();
        }
    }

    /// The processes of the server that serve a connection.
    pub fn connections(&self) -> Vec<String> {
        let parent = self.process.id().to_string();
        let list = Process::new("ps")
            .args(["-A", "-o", "pid=,ppid=,stat="])
            .output()
            .unwrap();
        String::from_utf8(list.stdout)
            .unwrap()
            .lines()
            .filter_map(|line| {
                let mut fields = line.split_whitespace();
                let (pid, ppid, state) = (fields.next()?, fields.next()?, fields.next()?);
                (ppid == parent && !state.starts_with('Z')).then(|| pid.to_owned())
            })
            .collect()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.drop_connections();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn program() -> Option<PathBuf> {
    // sshd is rarely in an ordinary user's PATH, and insists on being started by its full path.
    [
        "/usr/sbin/sshd",
        "/usr/local/sbin/sshd",
        "/sbin/sshd",
        "/usr/bin/sshd",
    ]
    .into_iter()
    .map(PathBuf::from)
    .find(|path| path.exists())
}

fn keygen(path: &Path) {
    let status = Process::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(path)
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
}

/// A port that nobody listens at.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// Lays keys, the server's configuration with `extra` appended, and the client's files.
pub fn lay(directory: &Path, port: u16, extra: &str) {
    for key in ["host", "user", "stranger"] {
        keygen(&directory.join(key));
    }
    let file = |name: &str| directory.join(name).display().to_string();
    std::fs::copy(file("user.pub"), file("authorized_keys")).unwrap();
    std::fs::set_permissions(file("authorized_keys"), PermissionsExt::from_mode(0o600)).unwrap();
    let config = format!(
        "ListenAddress 127.0.0.1\nPort {port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\n\
         StrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
         PermitRootLogin prohibit-password\nMaxStartups 100\n{extra}\nUsePAM no\n",
        file("host"),
        file("authorized_keys"),
    );
    std::fs::write(file("sshd_config"), config).unwrap();
    let key = std::fs::read_to_string(file("host.pub")).unwrap();
    let known = format!("[127.0.0.1]:{port} {key}");
    std::fs::write(file("known_hosts"), known).unwrap();
    let config = format!(
        "Host private\n  HostName 127.0.0.1\n  Port {port}\n  IdentityFile {}\n  UserKnownHostsFile {}\n\
         Host *\n  GlobalKnownHostsFile /dev/null\n  IdentitiesOnly yes\n  IdentityAgent none\n",
        file("user"),
        file("known_hosts"),
    );
    std::fs::write(file("config"), config).unwrap();
}

/// Waits until a server listens; its log, if it never does.
pub fn listens(directory: &Path, port: u16) -> Result<(), String> {
    let begin = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if begin.elapsed() > Duration::from_secs(60) {
            let log = std::fs::read_to_string(directory.join("log")).unwrap_or_default();
            return Err(format!("sshd does not listen: {log}"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn spawn(program: &Path, directory: &Path) -> Child {
    if rustix::process::getuid().is_root() {
        // Where sshd's unprivileged part lives; the package makes it when the service starts.
        let _ = std::fs::create_dir("/run/sshd");
    }
    let log = std::fs::File::create(directory.join("log")).unwrap();
    Process::new(program)
        .args(["-D", "-e", "-f"])
        .arg(directory.join("sshd_config"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}
