//! Output of a command on its way to the display: whole lines, so that no secret slips through cut in two, and each
//! once, also where a later session goes on with it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::announce::Announcer;
use crate::journal::Shown;
use crate::model::{OperationKey, Target};
use crate::operation::Call;
use crate::report::Event;
use crate::transport::{Output, OutputSink, Stream};

/// A line without an end is shown when it has this many bytes.
const LONGEST_LINE: usize = 64 << 10;

/// Shows the output of one operation.
pub struct LiveOutput {
    announcer: Announcer,
    key: OperationKey,
    target: Target,
    tracks: Mutex<[Track; 2]>,
    note: Shown,
}

/// One stream: how much of it has come, counted from the command's beginning, and the line that has no end yet.
#[derive(Default)]
struct Track {
    received: u64,
    open: Vec<u8>,
}

impl Track {
    /// What a later session need not show: whole lines only, so that it never begins in the middle of one.
    fn shown(&self) -> u64 {
        self.received - self.open.len() as u64
    }
}

impl LiveOutput {
    pub(super) fn new(announcer: Announcer, call: &Call<'_>, note: Shown) -> Self {
        let (stdout, stderr) = note.read();
        let track = |received| Track {
            received,
            open: Vec::new(),
        };
        Self {
            announcer,
            key: call.key.clone(),
            target: call.target.clone(),
            tracks: Mutex::new([track(stdout), track(stderr)]),
            note,
        }
    }

    /// How many bytes of each stream it has, those of earlier sessions included.
    pub fn received(&self) -> (u64, u64) {
        let tracks = self.tracks();
        (tracks[0].received, tracks[1].received)
    }

    /// Whether a command that has ended said more than it has.
    pub fn lacks(&self, output: &Output) -> bool {
        let (stdout, stderr) = self.received();
        output.stdout.bytes.len() as u64 > stdout || output.stderr.bytes.len() as u64 > stderr
    }

    /// Shows what it does not have yet of the output of a command that has ended.
    pub fn rest(&self, output: &Output) {
        let (stdout, stderr) = self.received();
        for (stream, captured, had) in [
            (Stream::Stdout, &output.stdout, stdout),
            (Stream::Stderr, &output.stderr, stderr),
        ] {
            let from = usize::try_from(had).unwrap_or(usize::MAX);
            if let Some(rest) = captured.bytes.get(from..).filter(|rest| !rest.is_empty()) {
                self.output(stream, rest);
            }
        }
    }

    /// The outcome is recorded: no later session will go on with it.
    pub fn settled(&self) {
        self.note.remove();
    }

    fn tracks(&self) -> MutexGuard<'_, [Track; 2]> {
        self.tracks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, stream: Stream, bytes: &[u8]) {
        let text = self.announcer.redact(&String::from_utf8_lossy(bytes));
        self.announcer.emit(Event::Output {
            key: self.key.clone(),
            target: self.target.clone(),
            stream,
            text,
        });
    }
}

impl OutputSink for LiveOutput {
    fn output(&self, stream: Stream, bytes: &[u8]) {
        let mut tracks = self.tracks();
        let track = &mut tracks[usize::from(stream == Stream::Stderr)];
        track.received += bytes.len() as u64;
        track.open.extend_from_slice(bytes);
        let end = track
            .open
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map(|at| at + 1);
        let end = end.or_else(|| (track.open.len() > LONGEST_LINE).then_some(track.open.len()));
        let Some(end) = end else { return };
        let whole: Vec<u8> = track.open.drain(..end).collect();
        self.show(stream, &whole);
        // After it is shown: a death in between shows it twice, and never not at all.
        self.note.write((tracks[0].shown(), tracks[1].shown()));
    }
}

impl Drop for LiveOutput {
    fn drop(&mut self) {
        let open = {
            let mut tracks = self.tracks();
            [
                std::mem::take(&mut tracks[0].open),
                std::mem::take(&mut tracks[1].open),
            ]
        };
        for (stream, rest) in [Stream::Stdout, Stream::Stderr].into_iter().zip(open) {
            if !rest.is_empty() {
                self.show(stream, &rest);
            }
        }
    }
}
