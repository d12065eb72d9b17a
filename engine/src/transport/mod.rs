//! How targets are reached. Everything above this layer sees two kinds of connection: an [`Observer`],
//! which can only look, and an [`Actor`], which can also change things. A dry run is given observers,
//! so that it cannot write is a matter of types, not of discipline (M5).
//!
//! All calls block the calling thread (a branch of the script); transports that need an asynchronous
//! library run it on the engine's tokio runtime.

mod access;
mod cancel;
mod clock;
mod cluster;
mod command;
mod error;
mod fleet;
mod hosts;
pub mod kube;
mod local;
mod merge;
mod quantity;
pub mod shell;
mod ssh;

pub use access::{HostAccess, NodeRoute, Route, SshRoute};
pub use cancel::{Cancel, Interruption};
pub use clock::{Clock, SystemClock};
pub use cluster::{
    ClusterActor, ClusterObserver, ListQuery, LogQuery, ObjectKind, PatchKind, Proposal, Temporary,
    Verdict,
};
pub use command::{
    Captured, Command, Completion, Exit, InFlight, Launch, OUTPUT_LIMIT, Output, OutputSink,
    Program, SilentSink, Stream,
};
pub use error::TransportError;
pub use fleet::{ActingFleet, ObservingFleet};
pub use hosts::HostFleet;
pub use local::{LocalLink, LocalTarget};
pub use merge::{agrees, covers, difference, merged};
pub use ssh::{SshLink, SshPool, SshTarget};

use std::time::Duration;

use crate::model::{FileState, OperationId, TargetPath};

/// What `stat` tells of a path, symbolic links followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStat {
    /// `file`, `directory` or `other`.
    pub kind: FileKind,
    /// Size in bytes.
    pub size: u64,
    /// Permission bits (octal 7777).
    pub mode: u32,
    /// Owner, as a number.
    pub uid: u32,
    /// Group, as a number.
    pub gid: u32,
    /// Time of the last modification, seconds since the epoch.
    pub modified: i64,
    /// Inode number: another once a new file was renamed over this one, whatever their times say; a file that was removed
    /// first may leave its number to the next. 0 for what a dry run would make.
    pub inode: u64,
}

/// The kind of what is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A device, socket, pipe …
    Other,
}

/// The largest file that file words read or write, in bytes: 8 MiB. Configuration files are far smaller;
/// what is larger belongs to a command on the target, not into a journal.
pub const FILE_LIMIT: u64 = 8 << 20;

/// A connection that can look at a target and nothing else.
pub trait Observer: Send + Sync {
    /// Runs a command that its author promises only reads. Captures at most [`OUTPUT_LIMIT`] bytes of each
    /// stream. After `timeout` the command's process group is killed on the target and the exit is
    /// [`Exit::TimedOut`].
    fn probe(
        &self,
        command: &Command,
        timeout: Duration,
        cancel: &Cancel,
    ) -> Result<Output, TransportError>;

    /// Reads a regular file with its metadata; follows symbolic links. Refuses directories, devices and files
    /// over [`FILE_LIMIT`].
    fn read_file(&self, path: &TargetPath) -> Result<FileState, TransportError>;

    /// What is at the path, symbolic links followed; `None` if nothing is.
    fn stat(&self, path: &TargetPath) -> Result<Option<FileStat>, TransportError>;
}

/// A connection that can change a target.
pub trait Actor: Observer {
    /// Replaces the file at `path` by `wanted` ([`FileState::Absent`] removes it) if it still is `expected`,
    /// else [`TransportError::Changed`] and nothing is written. Atomic: a temporary file in the same directory
    /// (that of the final target, where the path is a symbolic link), synced, given owner, mode, extended
    /// attributes and SELinux context, renamed, directory synced. Compare and replace run in one exchange
    /// on the target.
    fn replace_file(
        &self,
        path: &TargetPath,
        expected: &FileState,
        wanted: &FileState,
    ) -> Result<(), TransportError>;

    /// Runs a command at most once through the gate (M4): on the target, `launch.marker` is taken atomically
    /// before the command starts, its output and exit status are kept there. Output goes to `sink` while it comes.
    /// With `launch.detach`, returns as soon as the gate is passed, with [`Completion::started`].
    fn launch(
        &self,
        launch: &Launch,
        sink: &dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<Completion, TransportError>;

    /// Asks the target what became of a launch whose outcome is not known; takes the gate if nobody has, so
    /// that a command that has not started never will.
    fn inquire(&self, marker: &OperationId, attempt: u32) -> Result<InFlight, TransportError>;

    /// Like [`Actor::inquire`], but a command that runs is ended first, with its process group: TERM, and KILL where
    /// that does not help within some seconds.
    fn stop(
        &self,
        marker: &OperationId,
        attempt: u32,
        cancel: &Cancel,
    ) -> Result<InFlight, TransportError>;

    /// Waits for a launched command that is still running; output goes on from the given offsets
    /// (bytes of stdout and stderr already seen).
    fn attach(
        &self,
        launch: &Launch,
        seen: (u64, u64),
        sink: &dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<Completion, TransportError>;

    /// Removes the markers of these operations from the target. Only when the run is closed.
    fn forget(&self, markers: &[OperationId]) -> Result<(), TransportError>;
}
