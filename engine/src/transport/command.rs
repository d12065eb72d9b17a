//! Commands on a target and what becomes of them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::OperationId;

/// The largest part of one output stream that is kept, in bytes: 1 MiB. The rest is counted and marked.
pub const OUTPUT_LIMIT: usize = 1 << 20;

/// What to execute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Program {
    /// A program and its arguments; meets no shell. Never empty.
    Argv(Vec<String>),
    /// A text for `sh -c`.
    Shell(String),
}

impl Program {
    /// As a reader would type it: quoted only where a shell would take it apart.
    pub fn display(&self) -> String {
        match self {
            Self::Shell(text) => text.clone(),
            Self::Argv(words) => words
                .iter()
                .enumerate()
                .map(|(place, word)| displayed(word, place == 0))
                .collect::<Vec<_>>()
                .join(" "),
        }
    }
}

fn displayed(word: &str, first: bool) -> String {
    // `NAME=value` in the first place would set a variable.
    let harmless =
        |c: char| c.is_ascii_alphanumeric() || "_-./:,@%+".contains(c) || (c == '=' && !first);
    if !word.is_empty() && word.chars().all(harmless) {
        return word.to_owned();
    }
    shlex::try_quote(word).map_or_else(|_| format!("{word:?}"), |quoted| quoted.into_owned())
}

/// A command with its surroundings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// What to execute.
    pub program: Program,
    /// Bytes for its standard input; none is an empty input.
    pub stdin: Option<Vec<u8>>,
    /// Environment variables to add. Names are checked to be shell identifiers.
    pub env: BTreeMap<String, String>,
}

impl Command {
    /// A program with arguments and nothing else.
    pub fn argv<S: Into<String>>(words: impl IntoIterator<Item = S>) -> Self {
        Self {
            program: Program::Argv(words.into_iter().map(Into::into).collect()),
            stdin: None,
            env: BTreeMap::new(),
        }
    }
}

/// One of a command's output streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Receives output while it comes, for display only.
pub trait OutputSink: Send + Sync {
    /// A piece of output, as it was read: any bytes, any length.
    fn output(&self, stream: Stream, bytes: &[u8]);
}

/// A sink that shows nothing.
#[derive(Debug)]
pub struct SilentSink;

impl OutputSink for SilentSink {
    fn output(&self, _stream: Stream, _bytes: &[u8]) {}
}

/// A captured stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// The first bytes, at most [`OUTPUT_LIMIT`].
    pub bytes: Vec<u8>,
    /// How many bytes came after those and were not kept.
    pub dropped: u64,
}

impl Captured {
    /// Appends up to the limit and counts the rest.
    pub fn push(&mut self, bytes: &[u8]) {
        let room = OUTPUT_LIMIT
            .saturating_sub(self.bytes.len())
            .min(bytes.len());
        self.bytes.extend_from_slice(&bytes[..room]);
        self.dropped += (bytes.len() - room) as u64;
    }

    /// As text: what is not UTF-8 is replaced, and a mark tells where output was cut.
    pub fn text(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.bytes).into_owned();
        if self.dropped > 0 {
            text.push_str(&format!(
                "\n[… {} more bytes cut by runbook …]",
                self.dropped
            ));
        }
        text
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this status.
    Code(i32),
    /// Killed by this signal.
    Signal(i32),
    /// Killed by us, with its process group, when its time was up.
    TimedOut,
}

/// What a probe gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// How it ended.
    pub exit: Exit,
    /// Standard output.
    pub stdout: Captured,
    /// Standard error.
    pub stderr: Captured,
}

/// A command to run at most once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// The operation: names the gate on the target.
    pub marker: OperationId,
    /// Which attempt of the operation, from 1; each has a gate of its own.
    pub attempt: u32,
    /// The run's epoch: a target refuses one that is lower than what it has seen (M8).
    pub epoch: u64,
    /// What to run.
    pub command: Command,
    /// After this long its process group is killed on the target; none waits for ever.
    pub timeout: Option<Duration>,
    /// Return when it has started; it goes on by itself.
    pub detach: bool,
}

/// What a launch came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completion {
    /// It ended.
    Ended(Output),
    /// It was started detached and goes on.
    Started,
}

impl Completion {
    /// The completion of a detached launch.
    pub fn started() -> Self {
        Self::Started
    }
}

/// What a target says of a launch whose outcome we do not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InFlight {
    /// It had not started and now never will: the gate is ours.
    NeverRan,
    /// It ended and left its exit status and output.
    Ended(Output),
    /// It runs.
    Running,
    /// It started and is gone without an exit status; the words say what is known
    /// (killed, the host rebooted, markers missing).
    Unknown(String),
}
