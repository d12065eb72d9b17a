//! Whether a journal is what was written: the chain of its rows, its blobs, and its mirror.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use blake3::Hash;

use super::chain::{BlobForm, ORIGIN, Row, RowRef};
use super::database::Database;
use super::fold::Fold;
use super::look::{self, steady};
use super::mending::Mending;
use super::mirror::{self, MirrorContent};
use super::rows::ALL;
use super::{BlobId, JournalError, Record, RunDirectory, fresh, layout, soundness};
use crate::model::Secrets;

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
    let checked = Checked::<()>::of(directory, &Secrets::new())?;
    match checked.content.hashes.is_empty() {
        true => Err(JournalError::NeverStarted(layout::database(directory))),
        false => Ok(checked.verification()),
    }
}

/// A journal that was compared with its mirror.
pub(super) struct Checked<F> {
    /// What is in the database.
    pub content: Content<F>,
    mirror: MirrorContent,
}

impl<F: Fold> Checked<F> {
    /// Reads and checks everything, and compares it with the mirror; what is read is given to `F`.
    pub fn of(directory: &RunDirectory, secrets: &Secrets) -> Result<Self, JournalError> {
        let path = layout::database(directory);
        // Looked at first: it is written last, so that a running writer cannot make it look ahead.
        let mirror = mirror::at_this_moment(&layout::mirror(directory))?;
        let read = || {
            steady(directory, |database| {
                Content::load(&path, database, secrets)
            })
        };
        Self::compared(directory, || mirror.read(), read)
    }

    /// The same, of copies of database and mirror that it makes, which no other process writes to.
    pub fn copied<'run>(
        directory: &'run RunDirectory,
        secrets: &Secrets,
    ) -> Result<(Self, fresh::Copy<'run>), JournalError> {
        let mirror = || mirror::read_copied(directory);
        let mut copy = None;
        let read = || {
            let made = copy.insert(fresh::Copy::of(directory)?);
            let database = Database::open_read_only(&made.path())?;
            Content::load(&layout::database(directory), &database, secrets)
        };
        let checked = Self::compared(directory, mirror, read);
        if checked.is_err() {
            // What stays is written over by the next copy.
            let _ = std::fs::remove_file(layout::fresh_mirror(directory));
        }
        Ok((checked?, copy.expect("what was checked is the copy")))
    }

    fn compared(
        directory: &RunDirectory,
        mirror: impl FnOnce() -> Result<MirrorContent, JournalError> + Send,
        read: impl FnOnce() -> Result<Content<F>, JournalError>,
    ) -> Result<Self, JournalError> {
        let (mirror, content) = std::thread::scope(|scope| {
            let mirror = scope.spawn(mirror);
            let content = read();
            (mirror.join().expect("reading does not panic"), content)
        });
        let (mirror, mut content) = (mirror?, content?);
        content.compare(&layout::database(directory), &mirror)?;
        look::check_log(directory)?;
        match content.illegal.take() {
            Some(error) => Err(error),
            None => Ok(Self { content, mirror }),
        }
    }

    /// What the mirror needs to be whole.
    pub fn mending(&self) -> Mending {
        Mending::of(&self.mirror, &self.content)
    }

    fn verification(&self) -> Verification {
        let rows = self.mirror.proven.rows.iter();
        let mirrored: HashSet<u64> = rows.map(|(seq, _)| *seq).collect();
        let records = self.content.hashes.len();
        Verification {
            records: records as u64,
            blobs: self.content.blobs.len() as u64,
            head: self.content.head().to_hex().to_string(),
            mirror_behind: (records - mirrored.len()) as u64,
            mirror_damaged: self.mirror.damaged as u64,
        }
    }
}

/// What is known of a database whose chain is whole: a hash for each row and blob, which covers all of it.
pub(super) struct Content<F> {
    /// Of each row, in order.
    pub hashes: Vec<Hash>,
    /// Name and form of each blob.
    pub blobs: HashMap<Hash, BlobForm>,
    /// What became of the records.
    pub folded: F,
    /// Why one of them could not follow those before it.
    illegal: Option<JournalError>,
}

impl<F: Fold> Content<F> {
    /// Reads and checks rows and blobs.
    fn load(path: &Path, database: &Database, secrets: &Secrets) -> Result<Self, JournalError> {
        let mut folded = F::default();
        // A record is there with its blobs or not at all; the first that needs a blob stands for all.
        let mut needed: BTreeMap<String, u64> = BTreeMap::new();
        let mut illegal = None;
        let hashes = chained(path, database, |row| {
            let mut needs = |blob: &BlobId| {
                if !needed.contains_key(&blob.0) {
                    needed.insert(blob.0.clone(), row.seq);
                }
            };
            let taken = match illegal {
                None => folded.take(row, secrets, &mut needs),
                // Damage further on is told first: it may be the reason.
                Some(_) => ().take(row, secrets, &mut needs),
            };
            illegal = illegal
                .take()
                .or(taken.map_err(|error| unread(path, error))?.err());
            Ok(())
        })?;
        // After the rows: a blob is written in the same transaction as its row or earlier.
        let mut blobs = HashMap::new();
        database.each_blob(|blob| {
            needed.remove(&blob.id.0);
            blobs.insert(blob.hash(), blob.form);
            Ok(())
        })?;
        if let Some((blob, seq)) = needed.iter().min_by_key(|(_, seq)| **seq) {
            let what = format!("record {seq} needs blob {blob}, which is missing");
            return Err(JournalError::corrupt(path, what));
        }
        soundness::check(database)?;
        Ok(Self {
            hashes,
            blobs,
            folded,
            illegal,
        })
    }
}

impl<F> Content<F> {
    /// Hash of the last row.
    pub fn head(&self) -> Hash {
        self.hashes.last().copied().unwrap_or(ORIGIN)
    }

    /// Refuses a mirror that proves that the database lost or changed something.
    fn compare(&self, path: &Path, mirror: &MirrorContent) -> Result<(), JournalError> {
        let last = self.hashes.len() as u64;
        if mirror.last > last {
            return Err(JournalError::Lost {
                path: path.to_owned(),
                missing: mirror.last - last,
                database: last,
                mirror: mirror.last,
            });
        }
        for (seq, hash) in &mirror.proven.rows {
            // Rows count from 1, and none is beyond the last.
            let place = seq.checked_sub(1).map(|place| place as usize);
            if place.and_then(|place| self.hashes.get(place)) != Some(hash) {
                let what = format!("record {seq} differs between database and mirror");
                return Err(JournalError::corrupt(path, what));
            }
        }
        let mut blobs = mirror.proven.blobs.iter();
        match blobs.find(|(hash, form)| self.blobs.get(hash) != Some(form)) {
            Some((hash, _)) => {
                let what = format!("blob {hash} is only in the mirror, or differs there");
                Err(JournalError::corrupt(path, what))
            }
            None => Ok(()),
        }
    }
}

/// Shows every row, if each follows the one before, and gives their hashes.
pub(super) fn chained(
    path: &Path,
    database: &Database,
    mut take: impl FnMut(RowRef<'_>) -> Result<(), JournalError>,
) -> Result<Vec<Hash>, JournalError> {
    let mut hashes: Vec<Hash> = Vec::new();
    database.each_row(ALL, |row| {
        let wanted = hashes.len() as u64 + 1;
        let previous = hashes.last().copied().unwrap_or(ORIGIN);
        if row.seq != wanted {
            let what = format!("record {wanted} is missing");
            return Err(JournalError::corrupt(path, what));
        }
        if !row.follows(previous) {
            return Err(database.not_as_written(wanted));
        }
        hashes.push(row.hash);
        take(row)
    })?;
    Ok(hashes)
}

fn unread(path: &Path, error: JournalError) -> JournalError {
    match error {
        JournalError::Illegal { seq, what } => {
            JournalError::corrupt(path, format!("record {seq}: {what}"))
        }
        other => other,
    }
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
