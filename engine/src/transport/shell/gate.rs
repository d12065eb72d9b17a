//! The gate (M4): commands that run at most once, whatever becomes of the connection and the engine.
//!
//! On the target each attempt of an operation has a record, `ops/<operation>.<attempt>.gate`, a file that can be made
//! only once: with `start` by the wrapper, which then runs the command, or with `revoke` by an engine that has to know
//! that the command never will. Lines that are added to it say how it ended, and `safe` that this is on the disk: after a
//! restart of the host nothing else is believed. Its output is in files beside it.
//!
//! Whoever launches an attempt first takes the gates of those before it that are open, and refuses to go on where a
//! record of a higher epoch says that another engine has taken over.
//!
//! Where it can, the exchange is the wrapper itself (`scripts/tell.sh`): a command costs one `sync` and `setsid` more
//! than itself. It runs beside the shell that serves it, which we tell when a moment has passed without an answer, so
//! that nobody there has to wait for that.
//!
//! Where systemd runs the host, the wrapper is a transient unit (`scripts/unit.sh`): root's always, another user's if
//! that user lingers. Elsewhere it is a process of the session that started it.
//!
//! Limits. Such a process ends with its session where a login manager kills all that a user leaves behind at logout
//! (logind.conf(5), KillUserProcesses). A process that leaves the
//! command's process group is not reached by a timeout. A target whose markers were deleted cannot tell a
//! command that ran from one that never did.

use super::exchange::Body;
use super::probe::parse_exit;
use super::{Nothing, Question, ShellLink, ShellTarget, TOOLS_TO_RUN, quote};
use super::{PATIENCE, seconds};
use crate::model::OperationId;
use crate::transport::{
    Cancel, Captured, Completion, InFlight, Launch, OUTPUT_LIMIT, Output, OutputSink, SilentSink,
    Stream, TransportError,
};

const TOOLS_FOR_GATE: &[&str] = &["head", "wc", "tail", "rm", "mkdir", "ls", "sync"];

/// Markers that are forgotten in one exchange.
const FORGOTTEN_AT_ONCE: usize = 500;

/// Words and environment of a launched command pass through the environment of its wrapper, where Linux
/// allows 128 KiB a string.
const COMMAND_LIMIT: usize = 120 << 10;

impl<L: ShellLink> ShellTarget<L> {
    fn gate_question<'a>(&'a self, function: &'static str, arguments: &[&'a str]) -> Question<'a> {
        let top = self.marker_directory.as_deref().unwrap_or_default();
        Question::new(function, arguments)
            .tools(TOOLS_TO_RUN)
            .tools(TOOLS_FOR_GATE)
            .variables(&[("top", top)])
    }

    pub(super) fn pass_gate(
        &self,
        launch: &Launch,
        sink: &dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<Completion, TransportError> {
        let words: Option<Vec<String>> = self
            .words_of(&launch.command)?
            .into_iter()
            .map(quote::word)
            .collect();
        let command = format!(
            "set -- {}",
            words
                .ok_or_else(|| self.refused("a NUL byte cannot be part of a command"))?
                .join(" ")
        );
        let exports = self.exports_of(&launch.command)?;
        if command.len().max(exports.len()) > COMMAND_LIMIT {
            return Err(self.refused(format!(
                "the command is too long ({} bytes; at most {COMMAND_LIMIT}): pass large data by `stdin`",
                command.len().max(exports.len())
            )));
        }
        let stdin = launch.command.stdin.as_deref().unwrap_or_default();
        let (exact, whole) = seconds(launch.timeout);
        let (attempt, epoch) = (launch.attempt.to_string(), launch.epoch.to_string());
        let (length, limit) = (stdin.len().to_string(), OUTPUT_LIMIT.to_string());
        let mode = if launch.detach { "detach" } else { "follow" };
        let marker = launch.marker.as_str();
        let name = format!("{marker}.{attempt}");
        let kept: &[&str] = match &self.marker_directory {
            _ if launch.detach => &[],
            Some(top) => &[top, &name],
            None => &["", &name],
        };
        let question = self
            .gate_question(
                "launch",
                &[
                    marker, &attempt, &epoch, &exact, &whole, &length, mode, &limit,
                ],
            )
            .variables(&[("command", &command), ("exports", &exports)])
            .input(&[stdin])
            .aside(kept)
            .deadline(launch.detach.then_some(PATIENCE));
        let mut frames = Frames::new((0, 0), sink);
        let words = self.ask(&question, &mut frames, cancel)?;
        self.completion(&words, frames)
    }

    /// `inquire` asks what became of a launch, `stop_command` ends it first.
    pub(super) fn ask_gate(
        &self,
        function: &'static str,
        marker: &OperationId,
        attempt: u32,
        cancel: &Cancel,
    ) -> Result<InFlight, TransportError> {
        let (attempt, limit) = (attempt.to_string(), OUTPUT_LIMIT.to_string());
        let question = self.gate_question(function, &[marker.as_str(), &attempt, &limit]);
        let mut frames = Frames::new((0, 0), &SilentSink);
        let words = self.ask(&question, &mut frames, cancel)?;
        match words.as_str() {
            "never" => Ok(InFlight::NeverRan),
            "running" => Ok(InFlight::Running),
            _ => match words.strip_prefix("unknown ") {
                Some(what) => Ok(InFlight::Unknown(what.to_owned())),
                None => match self.completion(&words, frames)? {
                    Completion::Ended(output) => Ok(InFlight::Ended(output)),
                    Completion::Started => Ok(InFlight::Running),
                },
            },
        }
    }

    pub(super) fn follow_gate(
        &self,
        launch: &Launch,
        seen: (u64, u64),
        sink: &dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<Completion, TransportError> {
        let (attempt, limit) = (launch.attempt.to_string(), OUTPUT_LIMIT.to_string());
        let question = self
            .gate_question("attach", &[launch.marker.as_str(), &attempt, &limit])
            .deadline(None);
        let mut frames = Frames::new(seen, sink);
        let words = self.ask(&question, &mut frames, cancel)?;
        self.completion(&words, frames)
    }

    pub(super) fn forget_markers(&self, markers: &[OperationId]) -> Result<(), TransportError> {
        let cancel = Cancel::default();
        for some in markers.chunks(FORGOTTEN_AT_ONCE) {
            let names: Vec<&str> = some.iter().map(OperationId::as_str).collect();
            let question = self.gate_question("forget", &names);
            match self.ask(&question, &mut Nothing, &cancel)?.as_str() {
                "done" => {}
                words => return Err(self.puzzled(words)),
            }
        }
        Ok(())
    }

    /// `started`, `ended STDOUT STDERR HOW`, or `unknown WORDS`, which becomes a lost effect: the executor asks.
    fn completion(&self, words: &str, frames: Frames<'_>) -> Result<Completion, TransportError> {
        if words == "started" {
            return Ok(Completion::Started);
        }
        if let Some(what) = words.strip_prefix("unknown ") {
            return Err(self.lost(format!("the command is gone: {what}")));
        }
        let parsed = (|| {
            let mut fields = words.strip_prefix("ended ")?.splitn(3, ' ');
            let stdout: u64 = fields.next()?.parse().ok()?;
            let stderr: u64 = fields.next()?.parse().ok()?;
            let exit = parse_exit(fields.next()?)?;
            Some((stdout, stderr, exit))
        })();
        let (stdout, stderr, exit) = parsed.ok_or_else(|| self.puzzled(words))?;
        Ok(Completion::Ended(Output {
            exit,
            stdout: counted(frames.stdout.captured, stdout),
            stderr: counted(frames.stderr.captured, stderr),
        }))
    }
}

/// The target sends no more than [`OUTPUT_LIMIT`] bytes of a stream, and how many there are.
fn counted(mut captured: Captured, total: u64) -> Captured {
    captured.dropped = total.saturating_sub(captured.bytes.len() as u64);
    captured
}

/// The longest header line, in bytes: a letter, a space and a 64-bit number, with room.
const HEADER_LIMIT: usize = 64;

/// Output as it travels: a line `o LENGTH` or `e LENGTH`, then the bytes; `b 0` is a sign of life.
struct Frames<'a> {
    stdout: Track,
    stderr: Track,
    header: Vec<u8>,
    piece: Option<(Stream, u64)>,
    sink: &'a dyn OutputSink,
}

/// One stream: what there is of it, and from where on the sink wants it.
struct Track {
    captured: Captured,
    position: u64,
    seen: u64,
}

impl Track {
    fn new(seen: u64) -> Self {
        Self {
            captured: Captured::default(),
            position: 0,
            seen,
        }
    }
}

impl<'a> Frames<'a> {
    fn new(seen: (u64, u64), sink: &'a dyn OutputSink) -> Self {
        Self {
            stdout: Track::new(seen.0),
            stderr: Track::new(seen.1),
            header: Vec::new(),
            piece: None,
            sink,
        }
    }

    fn deliver(&mut self, stream: Stream, bytes: &[u8]) {
        let track = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        track.captured.push(bytes);
        let known = track.seen.saturating_sub(track.position) as usize;
        track.position += bytes.len() as u64;
        if let Some(fresh) = bytes.get(known..)
            && !fresh.is_empty()
        {
            self.sink.output(stream, fresh);
        }
    }

    /// A header line is complete: the bytes that follow it belong to this stream.
    fn announced(&mut self) {
        let header = String::from_utf8_lossy(&self.header).into_owned();
        self.header.clear();
        let Some((letter, length)) = header.split_once(' ') else {
            return;
        };
        let stream = match letter {
            "o" => Stream::Stdout,
            "e" => Stream::Stderr,
            _ => return,
        };
        if let Ok(length @ 1..) = length.parse() {
            self.piece = Some((stream, length));
        }
    }
}

impl Body for Frames<'_> {
    fn body(&mut self, stream: Stream, mut bytes: &[u8]) {
        if stream == Stream::Stderr {
            return;
        }
        while !bytes.is_empty() {
            match self.piece {
                Some((of, left)) => {
                    let length = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    self.deliver(of, &bytes[..length]);
                    bytes = &bytes[length..];
                    let left = left - length as u64;
                    self.piece = (left > 0).then_some((of, left));
                }
                None => {
                    let end = bytes.iter().position(|byte| *byte == b'\n');
                    // A longer line is none of ours; what is kept of it is not read as a header either.
                    let room = HEADER_LIMIT - self.header.len();
                    self.header
                        .extend_from_slice(&bytes[..end.unwrap_or(bytes.len()).min(room)]);
                    bytes = end.map_or(&[], |end| &bytes[end + 1..]);
                    if end.is_some() {
                        self.announced();
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Shown(Mutex<Vec<u8>>);

    impl OutputSink for Shown {
        fn output(&self, _stream: Stream, bytes: &[u8]) {
            self.0.lock().unwrap().extend_from_slice(bytes);
        }
    }

    #[test]
    fn frames_are_read_in_any_pieces_and_shown_from_where_the_sink_was() {
        let message = b"o 5\nab\nc\nb 0\ne 2\nxyo 3\ndef";
        for size in 1..message.len() {
            let shown = Shown::default();
            let mut frames = Frames::new((6, 1), &shown);
            for piece in message.chunks(size) {
                frames.body(Stream::Stdout, piece);
            }
            assert_eq!(frames.stdout.captured.bytes, b"ab\nc\ndef");
            assert_eq!(frames.stderr.captured.bytes, b"xy");
            assert_eq!(shown.0.into_inner().unwrap(), b"yef", "pieces of {size}");
        }
    }

    #[test]
    fn headers_that_make_no_sense_are_passed_over() {
        let mut frames = Frames::new((0, 0), &SilentSink);
        for _ in 0..1000 {
            frames.body(Stream::Stdout, &[b'x'; 4096]);
        }
        assert_eq!(frames.header.len(), HEADER_LIMIT);
        frames.body(
            Stream::Stdout,
            b"\no -5\no 99999999999999999999999\nq 3\no\n\n\xff 1\no 2\nhi",
        );
        assert_eq!(frames.stdout.captured.bytes, b"hi");
        // A piece of any announced length is counted, not reserved for.
        frames.body(Stream::Stdout, b"e 18446744073709551615\nerr");
        assert_eq!(frames.stderr.captured.bytes, b"err");
    }
}
