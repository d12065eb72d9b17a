//! What a transport must be able to do so that files, probes and the gate work on it: run one fixed shell
//! command with a standard input and hand over what comes out.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::model::Target;
use crate::transport::{Cancel, Stream, TransportError};

/// Whether a receiver has heard enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// More is to come.
    More,
    /// The answer is complete.
    Everything,
}

/// Takes what an exchange puts out.
pub trait Receiver: Send {
    /// A piece of output, as it was read.
    fn receive(&mut self, stream: Stream, bytes: &[u8]) -> Heard;
}

/// How an exchange ended as far as the link can see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEnd {
    /// The receiver has heard everything.
    Heard,
    /// The command ended, with this status where it is known, before the receiver had heard everything.
    Ended(Option<i32>),
}

/// One exchange with a target.
#[derive(Debug)]
pub struct Exchange<'a> {
    /// Program and arguments. Plain words; a link that goes through a shell quotes them.
    pub words: &'a [&'a str],
    /// Its standard input, closed after the last byte.
    pub input: &'a [u8],
    /// The answer must be complete within this time; none waits for ever.
    pub deadline: Option<Duration>,
}

/// One exchange with a shell that stays for more.
#[derive(Debug)]
pub struct Conversation<'a> {
    /// Program and arguments of the shell, as in [`Exchange::words`]: it reads lines from its standard input and
    /// executes each until that ends.
    pub words: &'a [&'a str],
    /// What a new shell is sent before its first line.
    pub greeting: &'a [u8],
    /// The line of this exchange, with its line feed.
    pub line: &'a [u8],
    /// A line that the shell is sent now and then until the answer is complete.
    pub knock: Option<&'a [u8]>,
    /// The answer must be complete within this time; none waits for ever.
    pub deadline: Option<Duration>,
}

/// A way to a POSIX shell.
pub trait ShellLink: Send + Sync {
    /// Where it leads.
    fn target(&self) -> &Target;

    /// Runs the words there. Blocks the calling thread.
    ///
    /// # Errors
    /// [`TransportError::Unreachable`] if nothing was started, [`TransportError::Lost`] if the connection went
    /// away or was silent past the deadline, [`TransportError::Interrupted`] at the second interruption.
    fn exchange(
        &self,
        exchange: &Exchange<'_>,
        receiver: &mut dyn Receiver,
        cancel: &Cancel,
    ) -> Result<LinkEnd, TransportError>;

    /// The same with a shell that stays: one with the same words that was made ready, or is left from an earlier
    /// conversation, if it still lives and nobody else uses it, else a new one. None if this link keeps no shells; then everything is an exchange.
    ///
    /// A shell that gave no whole answer is never used again. [`LinkEnd::Ended`] with a status is said only of a
    /// shell that this was the first conversation with: nobody knows whether one that had served got the line.
    ///
    /// # Errors
    /// As [`ShellLink::exchange`].
    fn converse(
        &self,
        _conversation: &Conversation<'_>,
        _receiver: &mut dyn Receiver,
        _cancel: &Cancel,
    ) -> Option<Result<LinkEnd, TransportError>> {
        None
    }

    /// Begins what a first conversation with a shell of these words would have to wait for, and comes back at once.
    /// What fails is told by the one that needs it.
    fn get_ready(&self, _words: &[&str], _greeting: &[u8]) {}
}

/// How the moving of bytes ended.
#[derive(Debug)]
pub(in crate::transport) enum Pumped {
    /// The receiver has heard everything.
    Heard,
    /// Both outputs are at their end.
    Closed,
    /// The user does not want to wait.
    Interrupted,
    /// The deadline has passed.
    TimedOut,
    /// An output could not be read.
    Failed(io::Error),
}

/// Moves input and output until the receiver has heard everything or both outputs end.
pub(in crate::transport) async fn pump(
    stdin: impl AsyncWrite + Unpin,
    stdout: impl AsyncRead + Unpin,
    stderr: impl AsyncRead + Unpin,
    exchange: &Exchange<'_>,
    receiver: &mut dyn Receiver,
    cancel: &Cancel,
) -> Pumped {
    let feed = async move {
        let mut stdin = stdin;
        // A command need not read its input: that it closed the pipe is not our failure.
        let _ = stdin.write_all(exchange.input).await;
        let _ = stdin.shutdown().await;
        drop(stdin);
        std::future::pending::<Pumped>().await
    };
    tokio::select! {
        pumped = feed => pumped,
        pumped = listen(stdout, stderr, receiver) => pumped,
        () = cancel.at_once() => Pumped::Interrupted,
        () = patience(exchange.deadline) => Pumped::TimedOut,
    }
}

/// Completes when the time is up.
pub(super) async fn patience(deadline: Option<Duration>) {
    match deadline {
        Some(deadline) => tokio::time::sleep(deadline).await,
        None => std::future::pending().await,
    }
}

/// Hands what comes to the receiver until it has heard everything or both outputs end.
async fn listen(
    mut stdout: impl AsyncRead + Unpin,
    mut stderr: impl AsyncRead + Unpin,
    receiver: &mut dyn Receiver,
) -> Pumped {
    let mut ears = Ears::default();
    loop {
        if let Some(pumped) = ears.hear(&mut stdout, &mut stderr, receiver).await {
            return pumped;
        }
    }
}

/// Reads two outputs at once.
pub(super) struct Ears {
    out: Vec<u8>,
    err: Vec<u8>,
    out_open: bool,
    err_open: bool,
}

impl Default for Ears {
    fn default() -> Self {
        Self {
            // Not filled with zeros, which would be a quarter of what the engine does for a command.
            out: Vec::with_capacity(64 << 10),
            err: Vec::with_capacity(16 << 10),
            out_open: true,
            err_open: true,
        }
    }
}

impl Ears {
    /// Hands the next piece to the receiver; says how it ended if that was the last. Loses nothing if it is dropped
    /// while it waits.
    pub async fn hear(
        &mut self,
        stdout: &mut (impl AsyncRead + Unpin),
        stderr: &mut (impl AsyncRead + Unpin),
        receiver: &mut dyn Receiver,
    ) -> Option<Pumped> {
        if !self.out_open && !self.err_open {
            return Some(Pumped::Closed);
        }
        self.out.clear();
        self.err.clear();
        let (stream, read) = tokio::select! {
            read = stdout.read_buf(&mut self.out), if self.out_open => (Stream::Stdout, read),
            read = stderr.read_buf(&mut self.err), if self.err_open => (Stream::Stderr, read),
        };
        let (buffer, open) = match stream {
            Stream::Stdout => (&self.out, &mut self.out_open),
            Stream::Stderr => (&self.err, &mut self.err_open),
        };
        match read {
            Ok(0) => *open = false,
            Ok(_) => {
                if receiver.receive(stream, buffer) == Heard::Everything {
                    return Some(Pumped::Heard);
                }
            }
            Err(error) => return Some(Pumped::Failed(error)),
        }
        None
    }
}
