//! Making a damaged journal usable again with what can be proven, and saying in it that this was done.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::chain::{ORIGIN, Row};
use super::database::Database;
use super::look::steady;
use super::private::{check_local, check_private, create_directory, private_file, sync_directory};
use super::salvage::{self, Salvage};
use super::verify::{Checked, verify};
use super::{
    Diagnosis, Ending, History, JournalError, Record, RunDirectory, SessionKind, encode, layout,
    mending, mirror,
};
use crate::model::Secrets;

/// What a repair did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Nothing: the journal and its mirror are whole.
    NotNeeded,
    /// Only the mirror was written anew; the journal itself is whole.
    Mirror {
        /// Where the damaged files lie now.
        kept: PathBuf,
    },
    /// Every record that is known to have existed is there again.
    Restored {
        /// What was found.
        found: Diagnosis,
        /// Where the damaged files lie now.
        kept: PathBuf,
    },
    /// Records are lost. The run cannot be resumed, only read and undone.
    Cut {
        /// What was found.
        found: Diagnosis,
        /// Where the damaged files lie now.
        kept: PathBuf,
    },
}

/// Repairs a journal; `operator` says who wants it. The caller holds the run's lock.
///
/// # Errors
/// If not even the first record can be proven, two records contradict each other, or nothing can be written.
/// The damaged files are then as they were.
pub fn repair(directory: &RunDirectory, operator: &str) -> Result<Repair, JournalError> {
    check_private(directory.path())?;
    check_local(directory.path())?;
    match verify(directory) {
        Ok(found) if found.mirror_behind == 0 && found.mirror_damaged == 0 => Ok(Repair::NotNeeded),
        Ok(_) => repair_mirror(directory),
        Err(JournalError::Lost { .. } | JournalError::Corrupt { .. }) => {
            repair_all(directory, operator)
        }
        Err(error) => Err(error),
    }
}

fn repair_mirror(directory: &RunDirectory) -> Result<Repair, JournalError> {
    Checked::<()>::of(directory, &Secrets::new())?;
    let kept = keep(directory)?;
    steady(directory, |database| {
        mending::write_anew(directory, database)
    })?;
    Ok(Repair::Mirror { kept })
}

fn repair_all(directory: &RunDirectory, operator: &str) -> Result<Repair, JournalError> {
    let Salvage {
        mut rows,
        blobs,
        diagnosis: found,
    } = salvage::collect(directory)?;
    if rows.is_empty() {
        let what = "not even its first record can be proven, neither from the database nor from journal.jsonl";
        return Err(JournalError::corrupt(&layout::database(directory), what));
    }
    for record in words(&rows, &found, operator)? {
        let (seq, head) = (rows.len() as u64 + 1, rows.last().map(|row| row.hash));
        let body = encode::record_text(&record, &Secrets::new());
        let head = head.unwrap_or(ORIGIN);
        rows.push(Row::chained(head, seq, Timestamp::now(), body));
    }
    let kept = keep(directory)?;
    // The mirror first: a database that is ahead of it is what a crash leaves, the other way round is a loss.
    // Should this process die in between, the next repair finds these very records in the mirror.
    let (path, fresh) = (layout::mirror(directory), layout::fresh_mirror(directory));
    mirror::rewrite(&path, fresh, |mirror| {
        blobs.iter().try_for_each(|blob| mirror.blob(blob))?;
        rows.iter().try_for_each(|row| mirror.row(row.borrowed()))
    })?;
    Database::create(directory, &rows, &blobs)?;
    verify(directory)?;
    Ok(if found.lost == 0 {
        Repair::Restored { found, kept }
    } else {
        Repair::Cut { found, kept }
    })
}

/// The records that tell of the repair, as a session of its own.
fn words(rows: &[Row], found: &Diagnosis, operator: &str) -> Result<[Record; 2], JournalError> {
    let unknown = Secrets::new();
    let stored = rows
        .iter()
        .map(|row| encode::read(row.borrowed(), &unknown));
    let history = History::from_records(&stored.collect::<Result<Vec<_>, _>>()?)?;
    let (ending, told) = match (found.lost, history.ending()) {
        // What is over stays over.
        (0, Some(ending)) => (ending, "no record is known to be lost".to_owned()),
        (0, None) => (
            Ending::Interrupted,
            "no record is known to be lost; to be resumed".to_owned(),
        ),
        (lost, _) => (
            Ending::Aborted,
            format!(
                "at least {lost} record(s) are lost, so it cannot be resumed, only undone; look at what \
                 happened after record {}",
                found.proven
            ),
        ),
    };
    let session = Record::SessionStarted {
        kind: SessionKind::Resume,
        // Each lost record may have been the start of a session, and targets refuse a lower number.
        epoch: history.epoch() + found.lost + 1,
        pid: std::process::id(),
        operator: operator.to_owned(),
        engine: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let ended = Record::Ended {
        ending,
        message: format!("the journal was damaged and has been repaired: {told}"),
        failed: Vec::new(),
    };
    Ok([session, ended])
}

/// Copies the files as they are into a directory beside them.
fn keep(directory: &RunDirectory) -> Result<PathBuf, JournalError> {
    let time = Timestamp::now().strftime("%Y%m%d-%H%M%S%.3f");
    let kept = directory.path().join(format!("damaged-{time}"));
    create_directory(&kept)?;
    let database = layout::database(directory);
    let files = [
        layout::mirror(directory),
        layout::ready(directory),
        layout::log(&database),
        database,
    ];
    for file in files.iter().filter(|file| file.exists()) {
        copy(file, &kept)?;
    }
    sync_directory(&kept)?;
    Ok(kept)
}

fn copy(file: &Path, into: &Path) -> Result<(), JournalError> {
    let bytes = fs::read(file).map_err(JournalError::io("read", file))?;
    let name = file.file_name().expect("a file of the journal has a name");
    let copy = into.join(name);
    let mut options = private_file();
    let made = options.write(true).create_new(true).open(&copy);
    made.and_then(|mut made| {
        std::io::Write::write_all(&mut made, &bytes)?;
        made.sync_all()
    })
    .map_err(JournalError::io("write", &copy))
}
