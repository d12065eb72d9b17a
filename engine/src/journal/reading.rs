//! A journal read from outside: with the run's secrets hidden, also while another process writes it.

use super::look::{mirror_has_content, steady};
use super::verify::chained;
use super::{BlobId, Ending, Journal, JournalError, Record, RunDirectory, Stored, encode, layout};
use crate::model::Secrets;

impl Journal {
    /// The records of a run, with its secrets hidden, also while another process writes them.
    pub fn read(directory: &RunDirectory) -> Result<Vec<Stored>, JournalError> {
        let unknown = Secrets::new();
        steady(directory, |database| {
            let mut records = Vec::new();
            chained(&layout::database(directory), database, |row| {
                records.push(encode::read(row, &unknown)?);
                Ok(())
            })?;
            Ok(records)
        })
    }

    /// How the latest session ended, by a look at the end of the journal only; none if it still runs or died.
    pub fn read_ending(directory: &RunDirectory) -> Result<Option<Ending>, JournalError> {
        let unknown = Secrets::new();
        steady(directory, |database| {
            let mut ending = None;
            database.last_bodies(|body| {
                match serde_json::from_str(&unknown.reveal_json(body)) {
                    Ok(Record::Ended { ending: found, .. }) => {
                        ending = Some(found);
                        false
                    }
                    Ok(Record::SessionStarted { .. }) => false,
                    _ => true,
                }
            })?;
            Ok(ending)
        })
    }

    /// The same, of a run that has begun.
    ///
    /// # Errors
    /// Also if there is no record: [`JournalError::NeverStarted`], or damage if the mirror knows of records.
    pub fn read_begun(directory: &RunDirectory) -> Result<Vec<Stored>, JournalError> {
        Self::begun(directory, Self::read)
    }

    /// The first record of a run that has begun; what follows is not looked at.
    pub fn read_first(directory: &RunDirectory) -> Result<Vec<Stored>, JournalError> {
        Self::begun(directory, |directory| {
            let unknown = Secrets::new();
            steady(directory, |database| {
                let mut records = Vec::new();
                database.each_row(1..=1, |row| {
                    records.push(encode::read(row, &unknown)?);
                    Ok(())
                })?;
                Ok(records)
            })
        })
    }

    fn begun(
        directory: &RunDirectory,
        read: impl FnOnce(&RunDirectory) -> Result<Vec<Stored>, JournalError>,
    ) -> Result<Vec<Stored>, JournalError> {
        // Looked at first: it is written last, so that a writer that begins meanwhile does not look like damage.
        let mirrored = mirror_has_content(directory);
        let records = read(directory)?;
        let path = layout::database(directory);
        match (records.is_empty(), mirrored) {
            (false, _) => Ok(records),
            (true, false) => Err(JournalError::NeverStarted(path)),
            (true, true) => {
                let what = "the database is empty, though journal.jsonl has content";
                Err(JournalError::corrupt(&path, what))
            }
        }
    }

    /// A blob's bytes, with the run's secrets hidden.
    pub fn read_blob(directory: &RunDirectory, id: &BlobId) -> Result<Vec<u8>, JournalError> {
        find_blob(directory, id, &Secrets::new())
    }
}

/// A blob's bytes, as their writer saw them if `secrets` are known.
pub(super) fn find_blob(
    directory: &RunDirectory,
    id: &BlobId,
    secrets: &Secrets,
) -> Result<Vec<u8>, JournalError> {
    match steady(directory, |database| database.blob(id))? {
        Some(blob) => encode::bytes(&blob, secrets),
        None => Err(JournalError::NoBlob(id.0.clone())),
    }
}
