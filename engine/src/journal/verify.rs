//! Whether a journal is what was written: the chain of its rows, its blobs, and its mirror.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use blake3::Hash;

use super::chain::{ORIGIN, Row, StoredBlob};
use super::database::Database;
use super::look::{self, steady};
use super::mirror::{self, MirrorContent};
use super::{BlobId, JournalError, Record, RunDirectory, layout};

/// What a look at the whole journal found. Losses and damage are errors; this is what else is worth saying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Records, all of them chained.
    pub records: u64,
    /// Blobs, all of them what their name says.
    pub blobs: u64,
    /// Hash of the last record: names the whole journal.
    pub head: String,
    /// Records that the mirror does not have (yet): normal after a crash.
    pub mirror_behind: u64,
    /// Lines of the mirror that are torn or damaged; they are written again when the run is resumed.
    pub mirror_damaged: u64,
}

/// Checks the whole journal without changing anything, also while another process writes.
///
/// # Errors
/// If anything that was confirmed is missing or not what was written.
pub fn verify(directory: &RunDirectory) -> Result<Verification, JournalError> {
    // Mirror first: it is written last, so that a running writer cannot make it look ahead.
    let mirror = mirror::read(&layout::mirror(directory))?;
    let content = Content::checked(directory, &mirror)?;
    if content.rows.is_empty() {
        return Err(JournalError::NeverStarted(layout::database(directory)));
    }
    Ok(content.verification(&mirror))
}

/// Everything in a database whose chain is whole.
pub(super) struct Content {
    pub rows: Vec<Row>,
    pub blobs: Vec<StoredBlob>,
}

impl Content {
    /// Reads and checks everything, and compares it with the mirror.
    pub fn checked(directory: &RunDirectory, mirror: &MirrorContent) -> Result<Self, JournalError> {
        let path = layout::database(directory);
        let content = steady(directory, |database| Self::load(&path, database))?;
        content.compare(&path, mirror)?;
        look::check_log(directory)?;
        Ok(content)
    }

    /// Reads and checks rows and blobs.
    pub fn load(path: &Path, database: &Database) -> Result<Self, JournalError> {
        let rows = chained_rows(path, database)?;
        // After the rows: a blob is written in the same transaction as its row or earlier.
        let blobs = database.blobs()?;
        let present: BTreeSet<&BlobId> = blobs.iter().map(|blob| &blob.id).collect();
        for row in &rows {
            for blob in references(&record_of(path, row)?) {
                if !present.contains(&blob) {
                    let what =
                        format!("record {} needs blob {}, which is missing", row.seq, blob.0);
                    return Err(JournalError::corrupt(path, what));
                }
            }
        }
        Ok(Self { rows, blobs })
    }

    /// Hash of the last row.
    pub fn head(&self) -> Hash {
        self.rows.last().map_or(ORIGIN, |row| row.hash)
    }

    /// Refuses a mirror that proves that the database lost or changed something.
    pub fn compare(&self, path: &Path, mirror: &MirrorContent) -> Result<(), JournalError> {
        let last = self.rows.len() as u64;
        if mirror.last() > last {
            return Err(JournalError::Lost {
                path: path.to_owned(),
                missing: mirror.last() - last,
                database: last,
                mirror: mirror.last(),
            });
        }
        for (_, row) in &mirror.rows {
            // Rows count from 1, and none is beyond the last.
            let place = row.seq.checked_sub(1).map(|place| place as usize);
            if place.and_then(|place| self.rows.get(place)) != Some(row) {
                let what = format!("record {} differs between database and mirror", row.seq);
                return Err(JournalError::corrupt(path, what));
            }
        }
        let blobs: BTreeMap<&BlobId, &StoredBlob> =
            self.blobs.iter().map(|blob| (&blob.id, blob)).collect();
        match mirror
            .blobs
            .iter()
            .find(|blob| blobs.get(&blob.id) != Some(blob))
        {
            Some(blob) => {
                let what = format!("blob {} is only in the mirror, or differs there", blob.id.0);
                Err(JournalError::corrupt(path, what))
            }
            None => Ok(()),
        }
    }

    /// The lines of a complete mirror.
    pub fn mirror_lines(&self) -> String {
        let mut lines: String = self.blobs.iter().map(mirror::blob_line).collect();
        let mut previous = ORIGIN;
        for row in &self.rows {
            lines.push_str(&mirror::row_line(previous, row));
            previous = row.hash;
        }
        lines
    }

    /// Whether the mirror is whole and has everything.
    pub fn is_mirrored(&self, mirror: &MirrorContent) -> bool {
        let distinct: BTreeSet<&BlobId> = mirror.blobs.iter().map(|blob| &blob.id).collect();
        !mirror.torn
            && mirror.damaged == 0
            && mirror.rows.len() == self.rows.len()
            && distinct.len() == self.blobs.len()
    }

    fn verification(&self, mirror: &MirrorContent) -> Verification {
        let mirrored: BTreeSet<u64> = mirror.rows.iter().map(|(_, row)| row.seq).collect();
        Verification {
            records: self.rows.len() as u64,
            blobs: self.blobs.len() as u64,
            head: self.head().to_hex().to_string(),
            mirror_behind: (self.rows.len() - mirrored.len()) as u64,
            mirror_damaged: mirror.damaged as u64,
        }
    }
}

/// The rows, if each follows the one before.
pub(super) fn chained_rows(path: &Path, database: &Database) -> Result<Vec<Row>, JournalError> {
    let rows = database.rows()?;
    let mut previous = ORIGIN;
    for (place, row) in rows.iter().enumerate() {
        let wanted = place as u64 + 1;
        if row.seq != wanted {
            let what = format!("record {wanted} is missing");
            return Err(JournalError::corrupt(path, what));
        }
        if !row.follows(previous) {
            let what = format!("record {wanted} is not what was written");
            return Err(JournalError::corrupt(path, what));
        }
        previous = row.hash;
    }
    Ok(rows)
}

pub(super) fn record_of(path: &Path, row: &Row) -> Result<Record, JournalError> {
    serde_json::from_str(&row.body).map_err(|error| {
        JournalError::corrupt(path, format!("record {} cannot be read ({error})", row.seq))
    })
}

/// The blobs that a record needs.
pub(super) fn references(record: &Record) -> Vec<BlobId> {
    match record {
        Record::RunStarted(header) => {
            let sources = header.sources.iter().chain(&header.inventory);
            sources.map(|source| source.blob.clone()).collect()
        }
        Record::Edited { sources, .. } => {
            sources.iter().map(|source| source.blob.clone()).collect()
        }
        Record::Observed { intent, .. } | Record::Intent(intent) => {
            let changes = intent.change.iter();
            changes
                .flat_map(|change| [change.before.clone(), change.after.clone()])
                .collect()
        }
        _ => Vec::new(),
    }
}
