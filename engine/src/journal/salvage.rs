//! What of a damaged journal can be proven: the longest chain of records from the first on, out of everything
//! that database and mirror still hold. Nothing is taken on trust: a record counts only if its hash follows
//! from the one before, a blob only if its name is its hash.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::chain::{ORIGIN, Row, StoredBlob};
use super::mirror::{self, Copies, MirrorContent};
use super::remains::{Remains, remains};
use super::verify::{record_of, references};
use super::{BlobId, JournalError, RunDirectory, layout};

/// What is left of a journal, and what is known to be gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// Records from the first on that can be proven.
    pub proven: u64,
    /// How many of them only the mirror still has.
    pub from_mirror: u64,
    /// Records behind these that existed, at least; they cannot be proven, or not be understood without those
    /// that are missing.
    pub lost: u64,
}

/// Everything that can be proven.
pub(super) struct Salvage {
    pub rows: Vec<Row>,
    pub blobs: Vec<StoredBlob>,
    pub diagnosis: Diagnosis,
}

/// Says what is left of a journal, without changing anything.
///
/// # Errors
/// If it cannot be read at all, or two different records could both be the next.
pub fn diagnose(directory: &RunDirectory) -> Result<Diagnosis, JournalError> {
    Ok(collect(directory)?.diagnosis)
}

/// Collects what can be proven.
pub(super) fn collect(directory: &RunDirectory) -> Result<Salvage, JournalError> {
    let mirror: MirrorContent<Copies> = mirror::read(&layout::mirror(directory))?;
    let remains = [layout::database(directory), layout::ready(directory)]
        .iter()
        .map(|path| remains(path))
        .collect::<Result<Vec<_>, _>>()?;
    let mut blobs = BTreeMap::new();
    let intact = remains.iter().flat_map(|remains| &remains.blobs);
    for blob in intact.chain(&mirror.proven.blobs) {
        blobs.entry(blob.id.clone()).or_insert_with(|| blob.clone());
    }
    let mut candidates: BTreeMap<u64, Vec<&Row>> = BTreeMap::new();
    let stored = remains.iter().flat_map(|remains| &remains.rows);
    for row in stored.clone().chain(&mirror.proven.rows) {
        let same = candidates.entry(row.seq).or_default();
        if !same.contains(&row) {
            same.push(row);
        }
    }
    let rows = chain(&layout::database(directory), &candidates, &blobs)?;
    let proven: BTreeSet<&Row> = rows.iter().collect();
    let database: BTreeSet<&Row> = stored.collect();
    let diagnosis = Diagnosis {
        proven: rows.len() as u64,
        from_mirror: proven.difference(&database).count() as u64,
        lost: lost(&rows, &candidates, &mirror, &remains),
    };
    Ok(Salvage {
        blobs: blobs.into_values().collect(),
        rows,
        diagnosis,
    })
}

/// The longest chain from the first record on, as far as the blobs that its records need are there.
fn chain(
    path: &Path,
    candidates: &BTreeMap<u64, Vec<&Row>>,
    blobs: &BTreeMap<BlobId, StoredBlob>,
) -> Result<Vec<Row>, JournalError> {
    let mut rows: Vec<Row> = Vec::new();
    loop {
        let previous = rows.last().map_or(ORIGIN, |row| row.hash);
        let next = rows.len() as u64 + 1;
        let same = candidates.get(&next).into_iter().flatten();
        let fitting: Vec<&&Row> = same.filter(|row| row.follows(previous)).collect();
        match fitting[..] {
            [] => return Ok(rows),
            [row] => {
                let needed = references(&record_of(path, row)?);
                if needed.iter().any(|blob| !blobs.contains_key(blob)) {
                    return Ok(rows);
                }
                rows.push((*row).clone());
            }
            _ => {
                let what = format!(
                    "database and mirror have different records {next}, and both follow record {}: which \
                     one happened cannot be proven",
                    next - 1
                );
                return Err(JournalError::corrupt(path, what));
            }
        }
    }
}

/// How many records existed behind the proven ones, at least.
fn lost(
    rows: &[Row],
    candidates: &BTreeMap<u64, Vec<&Row>>,
    mirror: &MirrorContent<Copies>,
    remains: &[Remains],
) -> u64 {
    let proven = rows.len() as u64;
    let mirrored = mirror.last.saturating_sub(proven);
    // A row of the database alone may have a damaged number: it counts as one, whatever it says.
    let proven_rows: BTreeSet<&Row> = rows.iter().collect();
    let unproven = candidates
        .values()
        .flatten()
        .any(|row| !proven_rows.contains(row));
    // Behind the last row of the mirror stands a line that nobody can read. A whole database would have its
    // row or blob; a damaged one proves nothing.
    let whole = remains.iter().any(|remains| remains.whole);
    let unread = mirror.damaged_at_end > 0 && mirror.last >= proven && !whole;
    // Every transaction that the log lost held a record; the mirror may have some of them.
    let logged = remains.iter().map(|remains| {
        let restored = proven.saturating_sub(remains.rows.len() as u64);
        remains.dropped.saturating_sub(restored)
    });
    mirrored
        .max(u64::from(unproven || unread))
        .max(logged.max().unwrap_or(0))
}
