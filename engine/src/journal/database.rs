//! The SQLite database of one run.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction, params};

use super::chain::{BlobForm, Row, StoredBlob};
use super::private::private_file;
use super::{BlobId, JournalError, RunDirectory, fresh, layout, migrate};

/// Version of the journal's format: the one that this engine writes, and the newest that it reads.
pub const SCHEMA: u32 = migrate::STEPS.len() as u32 + 1;

/// 3.51.3: the fix of a corruption when a write-ahead log is reset (sqlite.org/wal.html).
const OLDEST_SQLITE: i32 = 3_051_003;

/// Format 1; the steps in `migrate.rs` lead on from here.
const TABLES: &str = "
    CREATE TABLE record (
        seq  INTEGER PRIMARY KEY,
        at   TEXT NOT NULL,
        body TEXT NOT NULL,
        hash BLOB NOT NULL
    ) STRICT;
    CREATE TABLE blob (
        id   TEXT PRIMARY KEY,
        form TEXT NOT NULL,
        text TEXT NOT NULL
    ) STRICT;";

/// An open database.
pub(super) struct Database {
    pub(super) path: PathBuf,
    pub(super) connection: Connection,
    /// Where the copy lies that is read in place of a file on a disk that cannot be written.
    _copy: Option<tempfile::TempDir>,
}

impl Database {
    /// Makes a new database with this content. It appears complete or not at all.
    pub fn create(
        directory: &RunDirectory,
        rows: &[Row],
        blobs: &[StoredBlob],
    ) -> Result<(), JournalError> {
        check_sqlite()?;
        let path = layout::fresh(directory);
        let fill = || {
            let mut connection = Connection::open_in_memory()?;
            let transaction = connection.transaction()?;
            transaction.execute_batch(TABLES)?;
            migrate::STEPS
                .iter()
                .try_for_each(|step| transaction.execute_batch(step))?;
            transaction.pragma_update(None, "user_version", SCHEMA)?;
            blobs
                .iter()
                .try_for_each(|blob| insert_blob(&transaction, blob))?;
            rows.iter()
                .try_for_each(|row| insert_row(&transaction, row))?;
            transaction.commit()?;
            Ok(connection)
        };
        let connection = fill().map_err(JournalError::database(&path))?;
        let memory = Self {
            path: path.clone(),
            connection,
            _copy: None,
        };
        fresh::settle(directory)?;
        memory.copy_to(&path)?;
        fresh::install(directory)
    }

    /// Opens an existing database for writing.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let database = Self::connect_existing(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        database.prepare_for_writing()?;
        Ok(database)
    }

    /// Opens an existing database for reading, also while another process writes.
    pub fn open_read_only(path: &Path) -> Result<Self, JournalError> {
        Self::connect_existing(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    /// Opens a copy of a database and its log that lie on a disk that cannot be written.
    pub fn open_copy(path: &Path) -> Result<Self, JournalError> {
        // Only its owner may look into it, as into the original.
        let place = tempfile::tempdir().map_err(JournalError::io("copy", path))?;
        let copy = place.path().join("journal.db");
        std::fs::copy(path, &copy).map_err(JournalError::io("copy", path))?;
        let log = layout::log(path);
        if log.exists() {
            std::fs::copy(&log, layout::log(&copy)).map_err(JournalError::io("copy", &log))?;
        }
        let mut database = Self::connect_existing(&copy, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        database._copy = Some(place);
        Ok(database)
    }

    /// One blob, if it is there.
    pub fn blob(&self, id: &BlobId) -> Result<Option<StoredBlob>, JournalError> {
        let found = self
            .connection
            .query_row(
                "SELECT id, form, text FROM blob WHERE id = ?1",
                [&id.0],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .optional()
            .map_err(|error| self.unreadable(error))?;
        found.map(|parts| self.intact(parts)).transpose()
    }

    /// Runs `work` in one durable transaction.
    pub fn write(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), JournalError> {
        let path = self.path.clone();
        let run = || {
            let transaction = self
                .connection
                .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            work(&transaction)?;
            transaction.commit()
        };
        run().map_err(JournalError::database(&path))
    }

    /// Leaves the write-ahead log behind when the database is closed.
    pub fn keep_log(&self) {
        let config = rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        // Sets a flag in memory; cannot fail on an open connection.
        let _ = self.connection.set_db_config(config, true);
    }

    /// Writes everything into a new, complete, synced file, which is in the mode for writing already: to
    /// switch it later would need a rollback journal, which a crash could leave behind.
    pub fn copy_to(&self, path: &Path) -> Result<(), JournalError> {
        let file = private_file()
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(JournalError::io("create", path))?;
        let name = path.to_str().ok_or_else(|| {
            JournalError::corrupt(path, "its path is not UTF-8, which SQLite needs")
        })?;
        self.connection
            .execute("VACUUM INTO ?1", [name])
            .map_err(JournalError::database(path))?;
        Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?.prepare_for_writing()?;
        // SQLite does not promise to sync the copy.
        file.sync_all().map_err(JournalError::io("sync", path))
    }

    /// Moves what the log holds into the database. SQLite would do it by itself, but keep a failure to itself.
    pub fn checkpoint(&self) -> Result<(), JournalError> {
        self.connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
            .map_err(JournalError::database(&self.path))
    }

    /// Keeps what it holds now as it is, until it is dropped: no log is moved into it.
    pub fn hold(&self) -> Result<(), JournalError> {
        self.connection
            .execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;")
            .map_err(|error| self.unreadable(error))
    }

    /// Moves the whole log of a database that nobody else knows into it, and removes it. Syncs nothing.
    pub fn take_log_in(path: &Path) -> Result<(), JournalError> {
        let database = Self::connect_existing(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let connection = &database.connection;
        let take = || {
            connection.pragma_update(None, "synchronous", "OFF")?;
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        };
        match take().map_err(|error| database.unreadable(error))? {
            0_i64 => Ok(()),
            _ => Err(JournalError::corrupt(path, "another process uses it")),
        }
    }

    /// The version of its format.
    pub fn format(&self) -> Result<u32, JournalError> {
        self.connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(|error| self.unreadable(error))
    }

    fn connect_existing(path: &Path, flags: OpenFlags) -> Result<Self, JournalError> {
        check_sqlite()?;
        let length = match std::fs::metadata(path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(JournalError::Missing(path.to_owned()));
            }
            Err(error) => return Err(JournalError::io("look at", path)(error)),
        };
        // SQLite removes the log of a database without pages, which may hold all that is left.
        if length == 0 && std::fs::metadata(layout::log(path)).is_ok_and(|log| log.len() > 0) {
            return Err(JournalError::corrupt(path, "the database is empty"));
        }
        let database = Self::connect(path, flags)?;
        database.check_schema()?;
        Ok(database)
    }

    fn connect(path: &Path, flags: OpenFlags) -> Result<Self, JournalError> {
        let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .and_then(|connection| {
                // A reader and a writer's checkpoint may wait for each other for a moment.
                connection.busy_timeout(std::time::Duration::from_secs(10))?;
                Ok(connection)
            })
            .map_err(JournalError::database(path))?;
        Ok(Self {
            path: path.to_owned(),
            connection,
            _copy: None,
        })
    }

    fn check_schema(&self) -> Result<(), JournalError> {
        match self.format()? {
            0 => Err(self.without_format()),
            found if found > SCHEMA => Err(JournalError::NewerSchema {
                path: self.path.clone(),
                found,
                known: SCHEMA,
            }),
            _ => Ok(()),
        }
    }

    /// Tables and format appear together: one without the other is damage.
    fn without_format(&self) -> JournalError {
        let tables = self
            .connection
            .query_row("SELECT count(*) FROM sqlite_master", [], |row| {
                row.get::<_, i64>(0)
            });
        match tables {
            Ok(0) => JournalError::NeverStarted(self.path.clone()),
            _ => JournalError::corrupt(&self.path, "the number of its format is gone"),
        }
    }

    fn prepare_for_writing(&self) -> Result<(), JournalError> {
        let set = || {
            let connection = &self.connection;
            let mode: String =
                connection
                    .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "wal_autocheckpoint", 0)?;
            // Only macOS knows these: there a plain fsync does not reach the disk.
            connection.pragma_update(None, "fullfsync", true)?;
            connection.pragma_update(None, "checkpoint_fullfsync", true)?;
            Ok(mode)
        };
        let mode = set().map_err(JournalError::database(&self.path))?;
        if mode.eq_ignore_ascii_case("wal") {
            return Ok(());
        }
        Err(JournalError::Io {
            action: "keep a write-ahead log beside",
            path: self.path.clone(),
            source: std::io::Error::other(format!("SQLite stays in its mode {mode:?} here")),
        })
    }

    pub(super) fn intact(
        &self,
        parts: (String, String, String),
    ) -> Result<StoredBlob, JournalError> {
        let (id, form, text) = parts;
        let blob = BlobForm::parse(&form).map(|form| StoredBlob {
            id: BlobId(id.clone()),
            form,
            text,
        });
        blob.filter(StoredBlob::is_intact).ok_or_else(|| {
            JournalError::corrupt(&self.path, format!("blob {id} is not what was written"))
        })
    }

    /// An error while reading: that SQLite finds the file damaged is a finding, not a failure of the call.
    pub(super) fn unreadable(&self, error: rusqlite::Error) -> JournalError {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase, TooBig, Unknown};
        // `Unknown` is SQLITE_ERROR: the questions are always the same, so that only a table or a column that is gone
        // makes one wrong. A cell that says that it is longer than anything can be is `TooBig`.
        let damaged = matches!(
            error.sqlite_error_code(),
            Some(DatabaseCorrupt | NotADatabase | TooBig | Unknown)
        );
        let undecodable = error.sqlite_error_code().is_none();
        if damaged || undecodable {
            JournalError::corrupt(&self.path, format!("the database cannot be read ({error})"))
        } else {
            JournalError::database(&self.path)(error)
        }
    }
}

/// Adds a row.
pub(super) fn insert_row(transaction: &Transaction<'_>, row: &Row) -> rusqlite::Result<()> {
    let mut statement = transaction
        .prepare_cached("INSERT INTO record (seq, at, body, hash) VALUES (?1, ?2, ?3, ?4)")?;
    let seq =
        i64::try_from(row.seq).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, -1))?;
    statement.execute(params![seq, row.at, row.body, row.hash.as_bytes()])?;
    Ok(())
}

/// Adds a blob, unless it is there.
pub(super) fn insert_blob(
    transaction: &Transaction<'_>,
    blob: &StoredBlob,
) -> rusqlite::Result<()> {
    let mut statement = transaction
        .prepare_cached("INSERT OR IGNORE INTO blob (id, form, text) VALUES (?1, ?2, ?3)")?;
    statement.execute(params![blob.id.0, blob.form.as_str(), blob.text])?;
    Ok(())
}

fn check_sqlite() -> Result<(), JournalError> {
    if rusqlite::version_number() >= OLDEST_SQLITE {
        return Ok(());
    }
    Err(JournalError::OldSqlite {
        found: rusqlite::version().to_owned(),
    })
}
