//! The second copy of the journal: `journal.jsonl`, one line a row or blob, appended after each commit.
//!
//! Each line proves itself (it holds the hash that its row is chained to), so that a torn or damaged line
//! hides none of the others. A mirror that is ahead of the database proves that confirmed records were
//! lost; one that is behind is normal, because it is synced only now and then.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use blake3::Hash;
use serde::{Deserialize, Serialize};

use super::chain::{BlobForm, Row, StoredBlob};
use super::private::{check_private, private_file, sync_directory};
use super::{BlobId, JournalError};

/// A line. Bodies and blobs are strings, not nested JSON, so that their bytes are exactly those hashed.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    Row {
        seq: u64,
        at: String,
        previous: String,
        hash: String,
        body: String,
    },
    Blob {
        id: String,
        form: String,
        text: String,
    },
}

/// What a mirror holds.
#[derive(Debug, Default)]
pub(super) struct MirrorContent {
    /// Rows that prove themselves, with the hash that they are chained to.
    pub rows: Vec<(Hash, Row)>,
    /// Blobs that prove themselves.
    pub blobs: Vec<StoredBlob>,
    /// Lines that are torn or damaged.
    pub damaged: usize,
    /// How many of them stand behind the last row.
    pub damaged_at_end: usize,
    /// Whether the last line has no end, as after a crash in the midst of an append.
    pub torn: bool,
}

/// The mirror, open for appending.
pub(super) struct Mirror {
    path: PathBuf,
    file: File,
}

impl Mirror {
    /// Opens the mirror for appending; creates it where it is missing.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let file = private_file()
            .append(true)
            .create(true)
            .open(path)
            .map_err(JournalError::io("open", path))?;
        check_private(path)?;
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }

    /// Appends lines made by [`row_line`] and [`blob_line`], without a sync.
    pub fn append(&mut self, lines: &str) -> Result<(), JournalError> {
        self.file
            .write_all(lines.as_bytes())
            .map_err(JournalError::io("write", &self.path))
    }

    /// Makes what was appended durable.
    pub fn sync(&self) -> Result<(), JournalError> {
        self.file
            .sync_data()
            .map_err(JournalError::io("sync", &self.path))
    }
}

/// Reads a mirror; a missing one is empty.
pub(super) fn read(path: &Path) -> Result<MirrorContent, JournalError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(JournalError::io("read", path)(error)),
    };
    let mut content = MirrorContent {
        torn: bytes.last().is_some_and(|byte| *byte != b'\n'),
        ..MirrorContent::default()
    };
    for line in bytes.split(|byte| *byte == b'\n') {
        let rows = content.rows.len();
        if !line.is_empty() && !content.take(line) {
            content.damaged += 1;
            content.damaged_at_end += 1;
        } else if content.rows.len() > rows {
            content.damaged_at_end = 0;
        }
    }
    Ok(content)
}

/// Replaces the mirror by one of the given lines, at once or not at all.
pub(super) fn rewrite(path: &Path, lines: &str) -> Result<(), JournalError> {
    let fresh = path.with_extension("jsonl.fresh");
    let mut options = private_file();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .open(&fresh)
        .map_err(JournalError::io("create", &fresh))?;
    file.write_all(lines.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(JournalError::io("write", &fresh))?;
    fs::rename(&fresh, path).map_err(JournalError::io("replace", path))?;
    sync_directory(path.parent().expect("a mirror lies in a directory"))
}

impl MirrorContent {
    /// The last row's place; 0 without rows.
    pub fn last(&self) -> u64 {
        self.rows.iter().map(|(_, row)| row.seq).max().unwrap_or(0)
    }

    /// Takes a line in, if it proves itself.
    fn take(&mut self, line: &[u8]) -> bool {
        match serde_json::from_slice(line) {
            Ok(Line::Row {
                seq,
                at,
                previous,
                hash,
                body,
            }) => {
                let (Ok(previous), Ok(hash)) = (Hash::from_hex(previous), Hash::from_hex(hash))
                else {
                    return false;
                };
                let row = Row {
                    seq,
                    at,
                    body,
                    hash,
                };
                let proven = row.follows(previous);
                if proven {
                    self.rows.push((previous, row));
                }
                proven
            }
            Ok(Line::Blob { id, form, text }) => {
                let Some(form) = BlobForm::parse(&form) else {
                    return false;
                };
                let blob = StoredBlob {
                    id: BlobId(id),
                    form,
                    text,
                };
                let proven = blob.is_intact();
                if proven {
                    self.blobs.push(blob);
                }
                proven
            }
            Err(_) => false,
        }
    }
}

/// The line of a row that is chained to `previous`.
pub(super) fn row_line(previous: Hash, row: &Row) -> String {
    written(&Line::Row {
        seq: row.seq,
        at: row.at.clone(),
        previous: previous.to_hex().to_string(),
        hash: row.hash.to_hex().to_string(),
        body: row.body.clone(),
    })
}

/// The line of a blob.
pub(super) fn blob_line(blob: &StoredBlob) -> String {
    written(&Line::Blob {
        id: blob.id.0.clone(),
        form: blob.form.as_str().to_owned(),
        text: blob.text.clone(),
    })
}

fn written(line: &Line) -> String {
    let mut text = serde_json::to_string(line).expect("strings and numbers have a JSON form");
    text.push('\n');
    text
}
