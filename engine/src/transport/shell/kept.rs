//! Shells that stay: a link that can keep one serves many exchanges with it.

use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::link::{Conversation, Ears, Heard, Pumped, Receiver, patience};
use crate::transport::{Cancel, Stream};

/// A running shell and its three streams; `holds` is whatever must live as long as it does.
pub(in crate::transport) struct KeptShell<I, O, E, H> {
    words: Vec<String>,
    stdin: I,
    stdout: O,
    stderr: E,
    /// Until its first conversation: what it says before belongs to that one.
    before_first: Option<Said>,
    /// What the link keeps with it.
    pub holds: H,
}

impl<I, O, E, H> KeptShell<I, O, E, H>
where
    I: AsyncWrite + Unpin,
    O: AsyncRead + Unpin,
    E: AsyncRead + Unpin,
{
    /// A shell that was started with these words and has served nobody yet.
    pub fn new(words: &[&str], streams: (I, O, E), holds: H) -> Self {
        let (stdin, stdout, stderr) = streams;
        Self {
            words: words.iter().map(|&word| word.to_owned()).collect(),
            stdin,
            stdout,
            stderr,
            before_first: Some(Said::default()),
            holds,
        }
    }

    /// Whether it has served nobody yet.
    pub fn is_fresh(&self) -> bool {
        self.before_first.is_some()
    }

    /// Sends what it must know before the first line.
    pub async fn greet(&mut self, greeting: &[u8]) {
        send(&mut self.stdin, greeting).await;
    }

    /// Sends lines and listens to the answer; knocks until it is complete, if it is told how.
    pub async fn converse(
        &mut self,
        lines: &[u8],
        conversation: &Conversation<'_>,
        receiver: &mut dyn Receiver,
        cancel: &Cancel,
    ) -> Pumped {
        let said = self.before_first.take().unwrap_or_default();
        if said.repeat(receiver) == Heard::Everything {
            return Pumped::Heard;
        }
        tokio::select! {
            pumped = self.talk(lines, conversation.knock, receiver) => pumped,
            () = cancel.at_once() => Pumped::Interrupted,
            () = patience(conversation.deadline) => Pumped::TimedOut,
        }
    }

    async fn talk(
        &mut self,
        lines: &[u8],
        knock: Option<&[u8]>,
        receiver: &mut dyn Receiver,
    ) -> Pumped {
        let Self {
            stdin,
            stdout,
            stderr,
            ..
        } = self;
        let mut ears = Ears::default();
        let mut speech = pin!(async {
            send(stdin, lines).await;
            if let Some(knock) = knock {
                for pause in pauses() {
                    tokio::time::sleep(pause).await;
                    send(stdin, knock).await;
                }
            }
            std::future::pending::<Pumped>().await
        });
        loop {
            tokio::select! {
                pumped = &mut speech => return pumped,
                end = ears.hear(stdout, stderr, receiver) => if let Some(pumped) = end {
                    return pumped;
                }
            }
        }
    }

    /// Whether it is still there, as far as its streams tell. What they hold after a conversation belongs to none and
    /// is dropped.
    async fn is_alive(&mut self) -> bool {
        let mut dropped = Said::default();
        let said = self.before_first.as_mut().unwrap_or(&mut dropped);
        drain(&mut self.stdout, &mut said.stdout).await
            && drain(&mut self.stderr, &mut said.stderr).await
    }
}

async fn send(stdin: &mut (impl AsyncWrite + Unpin), lines: &[u8]) {
    // Where the shell is gone, its outputs end, which says more.
    let _ = stdin.write_all(lines).await;
    let _ = stdin.flush().await;
}

/// How long it takes from a line to the first knock, and from each to the next. The first is the moment after which a
/// command is followed; one that comes while the gate is made safe is not heard. They never end: whoever answers may be
/// killed at any time, and nobody else would say so.
fn pauses() -> impl Iterator<Item = Duration> {
    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(5);
    std::iter::successors(Some(FIRST), |pause| Some((*pause * 3).min(LONGEST)))
}

/// What a shell said before anybody asked it: the words of a login shell, of sudo.
#[derive(Default)]
struct Said {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Said {
    /// How much of each stream is kept.
    const LIMIT: usize = 8 << 10;

    fn repeat(&self, receiver: &mut dyn Receiver) -> Heard {
        let mut heard = Heard::More;
        for (stream, bytes) in [
            (Stream::Stdout, &self.stdout),
            (Stream::Stderr, &self.stderr),
        ] {
            if !bytes.is_empty() {
                heard = receiver.receive(stream, bytes);
            }
        }
        heard
    }
}

/// Reads what there is to read, without waiting; false at the end of the stream.
async fn drain(stream: &mut (impl AsyncRead + Unpin), said: &mut Vec<u8>) -> bool {
    let mut bytes = [0; 1024];
    loop {
        tokio::select! {
            biased;
            read = stream.read(&mut bytes) => match read {
                Ok(0) | Err(_) => return false,
                Ok(length) => {
                    let room = Said::LIMIT.saturating_sub(said.len()).min(length);
                    said.extend_from_slice(&bytes[..room]);
                }
            },
            () = std::future::ready(()) => return true,
        }
    }
}

/// Shells that wait for the next exchange.
#[derive(Debug)]
pub(in crate::transport) struct Shelf<S>(Mutex<Vec<S>>);

impl<S> Default for Shelf<S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<S> Shelf<S> {
    fn shells(&self) -> std::sync::MutexGuard<'_, Vec<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts one back.
    pub fn put(&self, shell: S) {
        self.shells().push(shell);
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.shells().len()
    }

    /// Ends the one that has waited longest, if there is one.
    pub fn drop_one(&self) -> bool {
        let mut shells = self.shells();
        let one = (!shells.is_empty()).then(|| shells.remove(0));
        drop(shells);
        one.is_some()
    }

    /// Ends those that this does not hold for.
    pub fn retain(&self, keep: impl FnMut(&S) -> bool) {
        self.shells().retain(keep);
    }
}

impl<I, O, E, H> Shelf<KeptShell<I, O, E, H>>
where
    I: AsyncWrite + Unpin,
    O: AsyncRead + Unpin,
    E: AsyncRead + Unpin,
{
    /// Takes one that was started with these words and is still there.
    pub async fn take(&self, words: &[&str]) -> Option<KeptShell<I, O, E, H>> {
        loop {
            let mut shell = {
                let mut shells = self.shells();
                let at = shells.iter().rposition(|shell| shell.words == words)?;
                shells.remove(at)
            };
            if shell.is_alive().await {
                return Some(shell);
            }
        }
    }
}
