//! What can go wrong with a journal, and what to do next.

use std::io;
use std::path::{Path, PathBuf};

/// A failure of the journal or of the directory that holds it.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// No place for the state is known.
    #[error(
        "no directory for the state of runs is known: {0}. Set RUNBOOK_STATE_DIR to a directory of yours"
    )]
    NoStateDirectory(String),
    /// Others may read or write what is secret.
    #[error(
        "{path} may be used by others (mode {mode:o}), but it holds secrets. Close it: chmod {wanted:o} '{path}'"
    )]
    TooOpen {
        /// What.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The bits that it should have.
        wanted: u32,
    },
    /// Somebody else owns it.
    #[error(
        "{path} belongs to the user with id {owner}, but you are {you}. Run as that user, or set \
         RUNBOOK_STATE_DIR to a directory of yours"
    )]
    Owner {
        /// What.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// The caller.
        you: u32,
    },
    /// The file system cannot keep the journal's promises.
    #[error(
        "{path} is on a network file system ({kind}), where locks and syncs cannot be relied on. Set \
         RUNBOOK_STATE_DIR to a directory on a local disk"
    )]
    NetworkFileSystem {
        /// Where.
        path: PathBuf,
        /// Which.
        kind: String,
    },
    /// No run has this name.
    #[error("no run is called {text:?}. {nearest}")]
    UnknownRun {
        /// What was asked for.
        text: String,
        /// The nearest names, as a sentence.
        nearest: String,
    },
    /// Several runs have it.
    #[error("{text:?} could be any of these runs: {candidates}. Give more of the name")]
    AmbiguousRun {
        /// What was asked for.
        text: String,
        /// The names.
        candidates: String,
    },
    /// Another process works on the same thing.
    #[error(
        "another run works on {scope}: {holder}. Wait until it ends, or stop it; it can be resumed later"
    )]
    Locked {
        /// What is locked.
        scope: String,
        /// Who holds it, in words.
        holder: String,
    },
    /// There is a journal already.
    #[error("the run at {0} has a journal already. Continue it with `runbook resume`")]
    Exists(PathBuf),
    /// There is no journal.
    #[error(
        "there is no journal at {0}. `runbook list` shows the runs there are; if the state lies elsewhere, set \
         RUNBOOK_STATE_DIR"
    )]
    Missing(PathBuf),
    /// The run died before its first record.
    #[error(
        "the run at {0} stopped before its first record: nothing was done. Start it again with `runbook run`; \
         this directory may be removed"
    )]
    NeverStarted(PathBuf),
    /// The journal was written by a newer engine.
    #[error(
        "the journal at {path} has format {found}; this runbook knows formats up to {known}. Use the version of \
         runbook that wrote it, or a newer one"
    )]
    NewerSchema {
        /// Where.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest known.
        known: u32,
    },
    /// The linked SQLite has a known fault.
    #[error(
        "this runbook was built with SQLite {found}, which can corrupt a journal; at least 3.51.3 is needed. \
         Install an official build of runbook"
    )]
    OldSqlite {
        /// Its version.
        found: String,
    },
    /// The database lost records that it had confirmed.
    #[error(
        "the journal at {path} lost at least {missing} confirmed record(s): the database ends at record {database}, \
         its copy journal.jsonl at {mirror}. Nothing was changed. Check the disk; `runbook verify RUN` says what is \
         left, and with --repair restores what can be proven"
    )]
    Lost {
        /// Where.
        path: PathBuf,
        /// How many records, at least.
        missing: u64,
        /// Last record of the database.
        database: u64,
        /// Last record of the mirror.
        mirror: u64,
    },
    /// A record or blob is not what was written.
    #[error(
        "the journal at {path} is damaged: {what}. Nothing was changed. Check the disk; `runbook verify RUN` \
         says what is left, and with --repair restores what can be proven"
    )]
    Corrupt {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The records contradict each other.
    #[error(
        "record {seq} of the journal cannot follow those before it: {what}. This is a fault in runbook or a \
         damaged journal: run `runbook verify`, and do not resume before it is understood"
    )]
    Illegal {
        /// The record.
        seq: u64,
        /// Why not.
        what: String,
    },
    /// No such blob.
    #[error("the journal has no blob {0}. Run `runbook verify` to see what else is missing")]
    NoBlob(String),
    /// An earlier write failed; nothing more may happen.
    #[error(
        "the journal could not be written: {0}. Nothing more is done, so that nothing happens unrecorded. Mend \
         the cause (space, disk), then `runbook resume`"
    )]
    Poisoned(String),
    /// A system call failed.
    #[error(
        "cannot {action} {path}: {source}. Check that the disk has space and that you may write there"
    )]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// SQLite refused.
    #[error(
        "the journal's database {path} cannot be used: {source}. Check the disk, then try again"
    )]
    Database {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: rusqlite::Error,
    },
}

impl JournalError {
    /// Whether the run has no record at all, and no sign that it ever had one: nothing was done.
    #[must_use]
    pub fn is_without_beginning(&self) -> bool {
        matches!(self, Self::Missing(_) | Self::NeverStarted(_))
    }

    /// Whether a database could not be opened because nothing can be written beside it.
    pub(super) fn is_for_want_of_writing(&self) -> bool {
        use rusqlite::ErrorCode::{CannotOpen, ReadOnly};
        let Self::Database { source, .. } = self else {
            return false;
        };
        matches!(source.sqlite_error_code(), Some(CannotOpen | ReadOnly))
    }

    /// For `map_err` on calls of the file system.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    /// For `map_err` on calls of SQLite.
    pub(super) fn database(path: &Path) -> impl Fn(rusqlite::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Database {
            path: path.clone(),
            source,
        }
    }

    pub(super) fn corrupt(path: &Path, what: impl Into<String>) -> Self {
        Self::Corrupt {
            path: path.to_owned(),
            what: what.into(),
        }
    }
}
