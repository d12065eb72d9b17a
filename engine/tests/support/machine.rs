//! A machine with a systemd of its own: process 1, logind and a real sshd in namespaces of this test, on this machine's
//! files behind an overlay. logind ends the processes of a session with it, also root's.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Output, Stdio};

use tempfile::TempDir;

use super::support::sshd;

const BOOT: &str = include_str!("systemd_boot.sh");

/// A user of the machine who is not root.
pub const NORA: &str = "nora";

/// A running machine.
pub struct Machine {
    process: Child,
    init: String,
    /// Both sides see it under the same name; `config` is the client's, with the host `private`.
    pub shared: TempDir,
    _work: TempDir,
}

impl Machine {
    /// Boots one; `None`, with a visible message, where that is not possible. With `RUNBOOK_REQUIRE_SYSTEMD=1` that is
    /// a failure instead.
    pub fn boot() -> Option<Self> {
        if let Some(missing) = missing() {
            let required = std::env::var_os("RUNBOOK_REQUIRE_SYSTEMD").is_some_and(|v| v == "1");
            assert!(!required, "RUNBOOK_REQUIRE_SYSTEMD=1 but {missing}");
            eprintln!("SKIPPED: no systemd can be started here: {missing}");
            return None;
        }
        let (shared, work) = (scratch(), scratch());
        let port = sshd::free_port();
        sshd::lay(shared.path(), port, "UsePAM yes\nMaxSessions 100");
        // nora works there too, and sshd reads the keys that may log in as the user who does.
        set_mode(shared.path(), 0o777);
        set_mode(&shared.path().join("authorized_keys"), 0o644);
        let boot = shared.path().join("boot.sh");
        std::fs::write(&boot, BOOT).unwrap();
        let log = std::fs::File::create(shared.path().join("boot.log")).unwrap();
        // It ends with this process, however that ends.
        let process = Process::new("setpriv")
            .args([
                "--pdeathsig",
                "KILL",
                "unshare",
                "--mount",
                "--pid",
                "--fork",
                "--uts",
                "--ipc",
            ])
            .args(["--cgroup", "--kill-child", "sh"])
            .args([&boot, work.path(), shared.path()])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap();
        let mut machine = Self {
            process,
            init: String::new(),
            shared,
            _work: work,
        };
        if let Err(said) = sshd::listens(machine.shared.path(), port) {
            let boot = std::fs::read_to_string(machine.file("boot.log")).unwrap_or_default();
            panic!("{said}\n{boot}");
        }
        machine.init = machine.child();
        Some(machine)
    }

    /// Process 1 of the machine, as it is called out here.
    fn child(&self) -> String {
        let pid = self.process.id();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        children.trim().to_owned()
    }

    /// A file of the shared directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.shared.path().join(name)
    }

    /// Runs a command in the machine, as root and outside of every session.
    pub fn inside(&self, words: &[&str]) -> Output {
        Process::new("nsenter")
            .args([
                "--target", &self.init, "--mount", "--pid", "--uts", "--ipc", "--cgroup", "--",
            ])
            .args(words)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// What a command says in the machine.
    pub fn says(&self, words: &[&str]) -> String {
        let output = self.inside(words);
        let both = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&both).into_owned()
    }

    /// The transient units of commands.
    pub fn units(&self, manager: &[&str]) -> Vec<String> {
        let list = [
            "list-units",
            "--no-legend",
            "--plain",
            "--all",
            "runbook-*.service",
        ];
        let words = [&["systemctl"], manager, &list].concat();
        self.says(&words)
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .map(str::to_owned)
            .collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // With process 1 everything in the machine ends.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A directory on the machine's own disk: the overlay covers no other file system.
fn scratch() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// What there would have to be.
fn missing() -> Option<String> {
    if !rustix::process::getuid().is_root() {
        return Some("only root can".into());
    }
    let needed = [
        "/lib/systemd/systemd",
        "/usr/sbin/sshd",
        "/usr/bin/systemd-run",
        "/usr/bin/unshare",
    ];
    if let Some(lacking) = needed.iter().find(|path| !Path::new(path).exists()) {
        return Some(format!("there is no {lacking}"));
    }
    let kinds = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    ["overlay", "cgroup2"]
        .into_iter()
        .find(|kind| !kinds.lines().any(|line| line.ends_with(kind)))
        .map(|kind| format!("the kernel has no {kind}"))
}
