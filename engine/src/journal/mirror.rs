//! The second copy of the journal: `journal.jsonl`, one line a row or blob, appended after each commit.
//!
//! Each line proves itself (it holds the hash that its row is chained to), so that a torn or damaged line
//! hides none of the others. A mirror that is ahead of the database proves that confirmed records were
//! lost; one that is behind is normal, because it is synced only now and then.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use blake3::Hash;
use serde::{Deserialize, Serialize};

use super::chain::{BlobForm, ORIGIN, Row, RowRef, StoredBlob, from_digits};
use super::private::{check_private, private_file, sync_directory};
use super::{JournalError, RunDirectory, fresh, layout, row_line};

/// A line. Bodies and blobs are strings, not nested JSON, so that their bytes are exactly those hashed.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line<'text> {
    Row {
        seq: u64,
        #[serde(borrow)]
        at: Cow<'text, str>,
        #[serde(borrow)]
        previous: Cow<'text, str>,
        #[serde(borrow)]
        hash: Cow<'text, str>,
        #[serde(borrow)]
        body: Cow<'text, str>,
    },
    Blob {
        #[serde(borrow)]
        id: Cow<'text, str>,
        #[serde(borrow)]
        form: Cow<'text, str>,
        #[serde(borrow)]
        text: Cow<'text, str>,
    },
}

/// What a line proves by itself.
enum Proven<'line> {
    Row(RowRef<'line>),
    Blob(BlobForm, Hash, &'line str),
}

/// Takes what the lines of a mirror prove.
pub(super) trait Reader: Default {
    /// A row that proves itself.
    fn row(&mut self, row: RowRef<'_>);
    /// A blob that proves itself, with the hash of its text, which is its name.
    fn blob(&mut self, form: BlobForm, hash: Hash, text: &str);
}

/// What a mirror holds.
#[derive(Debug, Default)]
pub(super) struct MirrorContent<R = Proofs> {
    /// What its lines prove.
    pub proven: R,
    /// The last row's place; 0 without rows.
    pub last: u64,
    /// Lines that are torn or damaged.
    pub damaged: usize,
    /// How many of them stand behind the last row.
    pub damaged_at_end: usize,
    /// Whether the last line has no end, as after a crash in the midst of an append.
    pub torn: bool,
}

/// Hashes only: a row's covers its place, time, text and everything before it, a blob's its text.
#[derive(Debug, Default)]
pub(super) struct Proofs {
    /// Places and hashes of rows.
    pub rows: Vec<(u64, Hash)>,
    /// Names and forms of blobs.
    pub blobs: Vec<(Hash, BlobForm)>,
}

/// Everything.
#[derive(Debug, Default)]
pub(super) struct Copies {
    pub rows: Vec<Row>,
    pub blobs: Vec<StoredBlob>,
}

impl Reader for Proofs {
    fn row(&mut self, row: RowRef<'_>) {
        self.rows.push((row.seq, row.hash));
    }

    fn blob(&mut self, form: BlobForm, hash: Hash, _: &str) {
        self.blobs.push((hash, form));
    }
}

impl Reader for Copies {
    fn row(&mut self, row: RowRef<'_>) {
        self.rows.push(row.to_row());
    }

    fn blob(&mut self, form: BlobForm, _: Hash, text: &str) {
        self.blobs.push(StoredBlob::new(form, text.to_owned()));
    }
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

/// A mirror as it was at one moment: what is appended later is not read.
pub(super) struct Moment {
    path: PathBuf,
    lines: Option<io::Take<BufReader<File>>>,
}

/// Opens a mirror for reading; a missing one is empty.
pub(super) fn at_this_moment(path: &Path) -> Result<Moment, JournalError> {
    let open = || -> io::Result<_> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let length = file.metadata()?.len();
        Ok(Some(BufReader::with_capacity(256 << 10, file).take(length)))
    };
    Ok(Moment {
        path: path.to_owned(),
        lines: open().map_err(JournalError::io("read", path))?,
    })
}

/// Copies a run's mirror, and reads the copy while it is synced; a missing one is empty.
pub(super) fn read_copied<R: Reader + Send>(
    directory: &RunDirectory,
) -> Result<MirrorContent<R>, JournalError> {
    let (path, copy) = (layout::mirror(directory), layout::fresh_mirror(directory));
    if !path.exists() {
        return Ok(MirrorContent::default());
    }
    let file = fresh::copied(&path, &copy)?;
    let (content, synced) = std::thread::scope(|scope| {
        let syncing = scope.spawn(|| file.sync_all());
        let content = read(&copy);
        (content, syncing.join().expect("a sync does not panic"))
    });
    synced.map_err(JournalError::io("sync", &copy))?;
    content
}

impl Moment {
    /// Reads all of it.
    pub fn read<R: Reader>(self) -> Result<MirrorContent<R>, JournalError> {
        let mut content = MirrorContent::default();
        let Some(mut lines) = self.lines else {
            return Ok(content);
        };
        let (mut line, mut body) = (Vec::new(), Vec::new());
        loop {
            line.clear();
            let length = lines
                .read_until(b'\n', &mut line)
                .map_err(JournalError::io("read", &self.path))?;
            if length == 0 {
                return Ok(content);
            }
            content.torn = line.last() != Some(&b'\n');
            if !content.torn {
                line.pop();
            }
            if !line.is_empty() {
                content.take(&line, &mut body);
            }
        }
    }
}

/// Reads a mirror; a missing one is empty.
pub(super) fn read<R: Reader>(path: &Path) -> Result<MirrorContent<R>, JournalError> {
    at_this_moment(path)?.read()
}

/// Replaces a mirror by a whole copy of it.
pub(super) fn replace(path: &Path, copy: &Path) -> Result<(), JournalError> {
    fs::rename(copy, path).map_err(JournalError::io("replace", path))?;
    sync_directory(path.parent().expect("a mirror lies in a directory"))
}

/// Replaces the mirror by one of the lines that `write` gives, at once or not at all.
pub(super) fn rewrite(
    path: &Path,
    fresh: PathBuf,
    write: impl FnOnce(&mut Rewriting) -> Result<(), JournalError>,
) -> Result<(), JournalError> {
    let mut options = private_file();
    let file = options
        .write(true)
        .create(true)
        .truncate(true)
        .open(&fresh)
        .map_err(JournalError::io("create", &fresh))?;
    let mut rewriting = Rewriting {
        file: BufWriter::with_capacity(256 << 10, file),
        path: fresh.clone(),
        previous: ORIGIN,
    };
    write(&mut rewriting)?;
    rewriting.finish()?;
    replace(path, &fresh)
}

/// A mirror that is being written anew.
pub(super) struct Rewriting {
    file: BufWriter<File>,
    path: PathBuf,
    previous: Hash,
}

impl Rewriting {
    /// The next row.
    pub fn row(&mut self, row: RowRef<'_>) -> Result<(), JournalError> {
        let line = row_line(self.previous, row);
        self.previous = row.hash;
        self.write(&line)
    }

    /// The next blob.
    pub fn blob(&mut self, blob: &StoredBlob) -> Result<(), JournalError> {
        self.write(&blob_line(blob))
    }

    fn write(&mut self, line: &str) -> Result<(), JournalError> {
        let written = self.file.write_all(line.as_bytes());
        written.map_err(JournalError::io("write", &self.path))
    }

    fn finish(mut self) -> Result<(), JournalError> {
        let path = self.path;
        self.file
            .flush()
            .and_then(|()| self.file.get_ref().sync_all())
            .map_err(JournalError::io("write", &path))
    }
}

impl<R: Reader> MirrorContent<R> {
    /// Takes a line in, if it proves itself; `body` is room for what it holds.
    fn take(&mut self, line: &[u8], body: &mut Vec<u8>) {
        if let Some((previous, row)) = row_line::read(line, body)
            && row.follows(previous)
        {
            return self.take_row(row);
        }
        let line = serde_json::from_slice::<Line<'_>>(line);
        match line.as_ref().ok().and_then(Line::proven) {
            Some(Proven::Row(row)) => self.take_row(row),
            Some(Proven::Blob(form, hash, text)) => self.proven.blob(form, hash, text),
            None => {
                self.damaged += 1;
                self.damaged_at_end += 1;
            }
        }
    }
}

impl<R: Reader> MirrorContent<R> {
    fn take_row(&mut self, row: RowRef<'_>) {
        self.last = self.last.max(row.seq);
        self.damaged_at_end = 0;
        self.proven.row(row);
    }
}

impl Line<'_> {
    fn proven(&self) -> Option<Proven<'_>> {
        match self {
            Line::Row {
                seq,
                at,
                previous,
                hash,
                body,
            } => {
                let hash_of = |digits: &str| from_digits(digits.as_bytes().try_into().ok()?);
                let previous = hash_of(previous)?;
                let row = RowRef {
                    seq: *seq,
                    at,
                    body,
                    hash: hash_of(hash)?,
                };
                row.follows(previous).then_some(Proven::Row(row))
            }
            Line::Blob { id, form, text } => {
                let form = BlobForm::parse(form)?;
                let hash = blake3::hash(text.as_bytes());
                let proven = hash.to_hex().as_str() == id;
                proven.then_some(Proven::Blob(form, hash, text))
            }
        }
    }
}

/// The line of a row that is chained to `previous`.
pub(super) fn row_line(previous: Hash, row: RowRef<'_>) -> String {
    written(&Line::Row {
        seq: row.seq,
        at: row.at.into(),
        previous: previous.to_hex().as_str().into(),
        hash: row.hash.to_hex().as_str().into(),
        body: row.body.into(),
    })
}

/// The line of a blob.
pub(super) fn blob_line(blob: &StoredBlob) -> String {
    written(&Line::Blob {
        id: blob.id.0.as_str().into(),
        form: blob.form.as_str().into(),
        text: blob.text.as_str().into(),
    })
}

fn written(line: &Line<'_>) -> String {
    let mut text = serde_json::to_string(line).expect("strings and numbers have a JSON form");
    text.push('\n');
    text
}
