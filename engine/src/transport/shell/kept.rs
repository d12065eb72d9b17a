//! Shells that stay: a link that can keep one serves many exchanges with it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::link::{Pumped, Receiver, listen, patience};
use crate::transport::Cancel;

/// A running shell and its three streams; `holds` is whatever must live as long as it does.
pub(in crate::transport) struct KeptShell<I, O, E, H> {
    words: Vec<String>,
    stdin: I,
    stdout: O,
    stderr: E,
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
            holds,
        }
    }

    /// Sends a line and listens to the answer.
    pub async fn converse(
        &mut self,
        line: &[u8],
        deadline: Option<Duration>,
        receiver: &mut dyn Receiver,
        cancel: &Cancel,
    ) -> Pumped {
        let Self {
            stdin,
            stdout,
            stderr,
            ..
        } = self;
        let feed = async {
            // Where the shell is gone, its outputs end, which says more.
            let _ = stdin.write_all(line).await;
            let _ = stdin.flush().await;
            std::future::pending::<Pumped>().await
        };
        tokio::select! {
            pumped = feed => pumped,
            pumped = listen(stdout, stderr, receiver) => pumped,
            () = cancel.at_once() => Pumped::Interrupted,
            () = patience(deadline) => Pumped::TimedOut,
        }
    }

    /// Whether it is still there, as far as its streams tell. What they hold belongs to no exchange and is dropped.
    async fn is_alive(&mut self) -> bool {
        quiet(&mut self.stdout).await && quiet(&mut self.stderr).await
    }
}

/// Drops what there is to read, without waiting; false at the end of the stream.
async fn quiet(stream: &mut (impl AsyncRead + Unpin)) -> bool {
    let mut dropped = [0; 1024];
    loop {
        tokio::select! {
            biased;
            read = stream.read(&mut dropped) => match read {
                Ok(0) | Err(_) => return false,
                Ok(_) => {}
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
