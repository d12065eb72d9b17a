//! The real program in a terminal of its own, which is read back as the screen that a person would see. The terminal is
//! made by `script`, and its size is set by `stty`, both of which are everywhere.
#![allow(dead_code)] // each test file uses a part of it

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::bench::Bench;

/// How long a test waits for something to be shown. Long: machines are busy.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Terminal {
    child: Child,
    keys: ChildStdin,
    output: Receiver<Vec<u8>>,
    /// Where the terminal's name is written.
    name: PathBuf,
    screen: vt100::Parser,
    /// Every byte that was written.
    pub raw: Vec<u8>,
}

impl Terminal {
    /// Starts the program in a terminal of this size, with more variables.
    pub fn start(
        bench: &Bench,
        (columns, rows): (u16, u16),
        variables: &[(&str, &str)],
        arguments: &[&str],
    ) -> Self {
        let name = bench.path().join("terminal");
        let _ = std::fs::remove_file(&name);
        let program = std::iter::once(env!("CARGO_BIN_EXE_runbook"));
        let words = program.chain(arguments.iter().copied());
        let inside = format!(
            "stty cols {columns} rows {rows}; tty >terminal.new; mv terminal.new terminal; exec {}",
            shlex::try_join(words).unwrap()
        );
        let mut command = Command::new("script");
        command
            .args(["-q", "-f", "-e", "-c", &inside, "/dev/null"])
            .current_dir(bench.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("SHELL", "/bin/sh")
            .env("HOME", bench.path())
            .env("LANG", "C.UTF-8")
            .env("TERM", "xterm-256color")
            .env("RUNBOOK_STATE_DIR", bench.state())
            .env("RUNBOOK_LAB_NO_SYNC", "1")
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut reader = child.stdout.take().unwrap();
        let (send, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 1 << 14];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                if send.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            keys: child.stdin.take().unwrap(),
            child,
            output,
            name,
            screen: vt100::Parser::new(rows, columns, 2000),
            raw: Vec::new(),
        }
    }

    /// What is on the screen now.
    pub fn screen(&self) -> String {
        self.screen.screen().contents()
    }

    /// The screen, after it was made sure that what is drawn anew is there at most once.
    pub fn whole(&self) -> String {
        let screen = self.screen();
        let totals = screen.lines().filter(|line| line.starts_with("total "));
        assert!(totals.count() <= 1, "the display is there twice:\n{screen}");
        screen
    }

    /// Reads until the screen is as wanted.
    pub fn until(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if wanted(&screen) {
                return screen;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.take(&bytes),
                Err(RecvTimeoutError::Timeout) => panic!("never saw {what}:\n{screen}"),
                Err(RecvTimeoutError::Disconnected) => panic!("ended without {what}:\n{screen}"),
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
        self.screen.process(bytes);
    }

    /// Makes the terminal larger or smaller, as a person does with the mouse.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        let name = std::fs::read_to_string(&self.name).unwrap();
        let size = [columns.to_string(), rows.to_string()];
        let resized = Command::new("stty")
            .args(["-F", name.trim(), "cols", &size[0], "rows", &size[1]])
            .status();
        assert!(resized.unwrap().success());
        self.screen.screen_mut().set_size(rows, columns);
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Reads to the end; the exit status.
    pub fn end(&mut self) -> i32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.take(&bytes),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it never ends:\n{}", self.screen()),
            }
        }
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A test that failed leaves nothing behind: what runs in the terminal is hung up on.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
