//! One implementation of [`Observer`] and [`Actor`] for every transport that reaches a POSIX shell (dash,
//! busybox ash, bash): local, ssh, and whatever else gives a [`ShellLink`].
//!
//! `exchange.rs` frames requests and answers, `quote.rs` is the only place where text becomes shell words,
//! `library.rs` holds what runs on the target, functions in `scripts/`: `probe.sh`, `look.sh`, `replace.sh`, and for
//! the gate `marker.sh` (the engine's side), `gate.sh` (the wrapper that outlives us) and `tell.sh` (both in one process).
//!
//! Where a link can keep a shell (`kept.rs`), all exchanges but probes go to one that knows the functions already.
//! A probe's output is the exchange's own, and what a probe leaves behind could still write there in a later one: it
//! gets a shell for itself. So does an input that is too long for a line, or no text.

mod exchange;
mod files;
mod gate;
pub(super) mod kept;
mod library;
pub mod link;
mod probe;
mod quote;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use crate::model::{FileState, OperationId, TargetPath};
use crate::transport::{
    Actor, Cancel, Command, Completion, FileStat, InFlight, Launch, Observer, Output, OutputSink,
    Program, Stream, TransportError,
};

use exchange::{Body, Call, Decoder, KNOCK, ONCE, SERVE};
use library::Library;
pub use link::ShellLink;
use link::{Conversation, Exchange, LinkEnd};
pub(super) use quote::word as quote_word;

/// What `ended` (frame.sh) says of a call that was killed.
const DIED: &str = "died";

/// What a target must have for any work at all: POSIX tools, and `setsid` (util-linux or busybox).
const TOOLS_TO_RUN: &[&str] = &["setsid", "sleep", "tr", "cat", "id"];

/// How long an exchange that only asks or writes a file may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A target reached through a shell.
pub struct ShellTarget<L> {
    link: L,
    become_user: Option<String>,
    marker_directory: Option<String>,
    /// Tools that were found there; looked for once.
    found: Mutex<BTreeSet<&'static str>>,
}

impl<L: ShellLink> ShellTarget<L> {
    /// The target behind `link`, as `become_user` (by `sudo -n`) if one is given.
    pub fn new(link: L, become_user: Option<String>) -> Self {
        Self {
            link,
            become_user,
            marker_directory: None,
            found: Mutex::default(),
        }
    }

    /// Keeps the markers of commands below this directory of the target instead of `/var/lib/runbook` (root)
    /// or `${XDG_STATE_HOME:-$HOME/.local/state}/runbook` (others).
    #[must_use]
    pub fn with_marker_directory(mut self, directory: impl Into<String>) -> Self {
        self.marker_directory = Some(directory.into());
        self
    }

    /// The link.
    pub fn link(&self) -> &L {
        &self.link
    }

    /// Begins what the first question will need, and comes back at once. Nothing is asked, and what fails is told by
    /// the first question.
    pub fn get_ready(&self) {
        self.link
            .get_ready(&self.shell(SERVE), &library::ALL.greeting);
    }

    fn refused(&self, why: impl Into<String>) -> TransportError {
        TransportError::Refused {
            target: self.link.target().clone(),
            why: why.into(),
        }
    }

    fn lost(&self, why: impl Into<String>) -> TransportError {
        TransportError::Lost {
            target: self.link.target().clone(),
            why: why.into(),
        }
    }

    /// Those of the tools that nobody has looked for on this target yet.
    fn unknown(&self, tools: &[&'static str]) -> Vec<&'static str> {
        let found = self.found.lock().unwrap_or_else(|e| e.into_inner());
        tools
            .iter()
            .filter(|tool| !found.contains(*tool))
            .copied()
            .collect()
    }

    /// One exchange; gives the words at the end of the answer. `refused …` has become an error.
    fn ask(
        &self,
        question: &Question<'_>,
        body: &mut dyn Body,
        cancel: &Cancel,
    ) -> Result<String, TransportError> {
        let tools = self.unknown(&question.tools);
        let call = Call {
            function: question.function,
            arguments: &question.arguments,
            variables: &question.variables,
            tools: &tools,
            input: &question.input,
            kept: &question.kept,
            aside: question.aside,
        };
        let nonce = uuid::Uuid::new_v4().simple().to_string();
        let mut decoder = Decoder::new(&nonce, body);
        let end = self.send(question, &call, &nonce, &mut decoder, cancel)?;
        let (began, noise) = (decoder.began(), decoder.noise());
        match decoder.words() {
            Some(words) => match words.strip_prefix("refused ") {
                Some(why) => Err(self.refused(why.trim())),
                None if words == DIED => {
                    Err(self.lost("the shell there ended before its answer was complete"))
                }
                None => {
                    let mut found = self.found.lock().unwrap_or_else(|e| e.into_inner());
                    found.extend(tools);
                    Ok(words.trim_end().to_owned())
                }
            },
            None if began => Err(self.lost("the shell there ended before its answer was complete")),
            None => Err(self.never_began(&end, &noise)),
        }
    }

    /// Sends a call to a shell that stays, or to one of its own.
    fn send(
        &self,
        question: &Question<'_>,
        call: &Call<'_>,
        nonce: &str,
        decoder: &mut Decoder<'_>,
        cancel: &Cancel,
    ) -> Result<LinkEnd, TransportError> {
        let has_nul = |_| {
            self.refused(
                "a NUL byte cannot be part of a command, an argument, a variable or a path",
            )
        };
        if question.shared
            && let Some(line) = call.for_served(nonce).map_err(has_nul)?
        {
            let conversation = Conversation {
                words: &self.shell(SERVE),
                greeting: &question.library.greeting,
                line: line.as_bytes(),
                knock: question.aside.then_some(KNOCK),
                deadline: question.deadline,
            };
            decoder.expect(true);
            if let Some(end) = self.link.converse(&conversation, decoder, cancel) {
                return end;
            }
        }
        decoder.expect(false);
        let exchange = Exchange {
            words: &self.shell(&["sh", "-c", ONCE]),
            input: &call.for_once(question.library, nonce).map_err(has_nul)?,
            deadline: question.deadline,
        };
        self.link.exchange(&exchange, decoder, cancel)
    }

    /// The words that start this shell as whoever the target is reached as.
    fn shell<'a>(&'a self, shell: &[&'a str]) -> Vec<&'a str> {
        let mut words = match &self.become_user {
            Some(user) => vec!["sudo", "-n", "-H", "-u", user, "--"],
            None => Vec::new(),
        };
        words.extend(shell);
        words
    }

    /// The script has not begun: sudo said no, or there is no shell.
    fn never_began(&self, end: &LinkEnd, noise: &str) -> TransportError {
        if let Some(user) = &self.become_user
            && noise.contains("sudo")
        {
            return self.refused(format!(
                "sudo does not let us become {user}: {noise}. Allow it without a password (in sudoers: \
                 `WHO ALL=({user}) NOPASSWD: ALL`), or remove `become` from the inventory"
            ));
        }
        let said = if noise.is_empty() {
            String::new()
        } else {
            format!("; it said: {noise}")
        };
        match end {
            LinkEnd::Ended(Some(status)) => self.refused(format!(
                "no POSIX shell answered (exit status {status}){said}"
            )),
            _ => self.lost(format!("no answer came{said}")),
        }
    }

    /// An answer that our own scripts do not give.
    fn puzzled(&self, words: &str) -> TransportError {
        self.lost(format!("the answer makes no sense: {words:?}"))
    }

    /// The words of a program, refused where nothing can start them.
    fn words_of<'a>(&self, command: &'a Command) -> Result<Vec<&'a str>, TransportError> {
        let words: Vec<&str> = match &command.program {
            Program::Argv(words) => words.iter().map(String::as_str).collect(),
            Program::Shell(text) => vec!["sh", "-c", text],
        };
        if words.first().is_none_or(|first| first.is_empty()) {
            return Err(self.refused("a command needs the name of a program"));
        }
        Ok(words)
    }

    /// The `export` lines of a command's environment.
    fn exports_of(&self, command: &Command) -> Result<String, TransportError> {
        let mut exports = String::new();
        for (name, value) in &command.env {
            if !quote::is_variable(name) {
                return Err(self.refused(format!(
                    "{name:?} cannot be the name of an environment variable (letters, digits and `_`)"
                )));
            }
            let value = quote::word(value)
                .ok_or_else(|| self.refused(format!("the variable {name} holds a NUL byte")))?;
            exports.push_str(&format!("export {name}={value}\n"));
        }
        Ok(exports)
    }
}

/// What is asked of the target.
struct Question<'a> {
    library: &'static Library,
    function: &'static str,
    /// Whether a shell that stays may answer.
    shared: bool,
    tools: Vec<&'static str>,
    variables: Vec<(&'a str, &'a str)>,
    arguments: Vec<&'a str>,
    input: Vec<&'a [u8]>,
    kept: Vec<&'a str>,
    aside: bool,
    deadline: Option<Duration>,
}

impl<'a> Question<'a> {
    /// A call of a function of the whole library.
    fn new(function: &'static str, arguments: &[&'a str]) -> Self {
        Self {
            library: &library::ALL,
            function,
            shared: true,
            tools: Vec::new(),
            variables: Vec::new(),
            arguments: arguments.to_vec(),
            input: Vec::new(),
            kept: Vec::new(),
            aside: false,
            deadline: Some(PATIENCE),
        }
    }

    /// A probe.
    fn probe(arguments: &[&'a str]) -> Self {
        Self {
            library: &library::PROBES,
            shared: false,
            ..Self::new("probe", arguments)
        }
    }

    fn tools(mut self, tools: &[&'static str]) -> Self {
        self.tools.extend(tools);
        self
    }

    fn variables(mut self, variables: &[(&'a str, &'a str)]) -> Self {
        self.variables.extend(variables);
        self
    }

    fn input(mut self, input: &[&'a [u8]]) -> Self {
        self.input = input.to_vec();
        self
    }

    /// It may take long: a shell that stays goes on beside it, and keeps these words in mind after it.
    fn aside(mut self, kept: &[&'a str]) -> Self {
        self.aside = true;
        self.kept = kept.to_vec();
        self
    }

    fn deadline(mut self, deadline: Option<Duration>) -> Self {
        self.deadline = deadline;
        self
    }
}

/// A body that nobody needs.
struct Nothing;

impl Body for Nothing {
    fn body(&mut self, _stream: Stream, _bytes: &[u8]) {}
}

/// A duration as `sleep` takes it: exact, and rounded up for a `sleep` that knows whole seconds only.
/// None is two empty words.
fn seconds(duration: Option<Duration>) -> (String, String) {
    duration.map_or_else(Default::default, |duration| {
        let millis = duration.as_millis().max(1);
        (
            format!("{}.{:03}", millis / 1000, millis % 1000),
            millis.div_ceil(1000).to_string(),
        )
    })
}

impl<L: ShellLink> Observer for ShellTarget<L> {
    fn probe(
        &self,
        command: &Command,
        timeout: Duration,
        cancel: &Cancel,
    ) -> Result<Output, TransportError> {
        self.run_probe(command, timeout, cancel)
    }

    fn read_file(&self, path: &TargetPath) -> Result<FileState, TransportError> {
        self.read(path)
    }

    fn stat(&self, path: &TargetPath) -> Result<Option<FileStat>, TransportError> {
        self.look(path)
    }
}

impl<L: ShellLink> Actor for ShellTarget<L> {
    fn replace_file(
        &self,
        path: &TargetPath,
        expected: &FileState,
        wanted: &FileState,
    ) -> Result<(), TransportError> {
        self.replace(path, expected, wanted)
    }

    fn launch(
        &self,
        launch: &Launch,
        sink: &dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<Completion, TransportError> {
        self.pass_gate(launch, sink, cancel)
    }

    fn inquire(&self, marker: &OperationId, attempt: u32) -> Result<InFlight, TransportError> {
        self.ask_gate("inquire", marker, attempt, &Cancel::default())
    }

    fn stop(
        &self,
        marker: &OperationId,
        attempt: u32,
        cancel: &Cancel,
    ) -> Result<InFlight, TransportError> {
        self.ask_gate("stop_command", marker, attempt, cancel)
    }

    fn attach(
        &self,
        launch: &Launch,
        seen: (u64, u64),
        sink: &dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<Completion, TransportError> {
        self.follow_gate(launch, seen, sink, cancel)
    }

    fn forget(&self, markers: &[OperationId]) -> Result<(), TransportError> {
        self.forget_markers(markers)
    }
}
