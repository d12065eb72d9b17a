//! The SQLite database of one run.

use std::path::{Path, PathBuf};

use blake3::Hash;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction, params};

use super::chain::{BlobForm, ORIGIN, Row, StoredBlob};
use super::private::{private_file, sync_directory};
use super::{BlobId, JournalError};

/// The format that this engine writes, and the newest that it reads.
/// Version of the journal's format.
pub const SCHEMA: u32 = 1;

/// 3.51.3: the fix of a corruption when a write-ahead log is reset (sqlite.org/wal.html).
const OLDEST_SQLITE: i32 = 3_051_003;

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
    path: PathBuf,
    connection: Connection,
}

impl Database {
    /// Makes a new database; its tables and its format appear together or not at all.
    pub fn create(path: &Path) -> Result<Self, JournalError> {
        check_sqlite()?;
        // SQLite gives the files beside it (-wal, -shm) the same permissions.
        let made = private_file().write(true).create_new(true).open(path);
        made.map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => JournalError::Exists(path.to_owned()),
            _ => JournalError::io("create", path)(error),
        })?;
        let mut database = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        database.prepare_for_writing()?;
        database.write(|transaction| {
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "user_version", SCHEMA)
        })?;
        let directory = path.parent().expect("a database lies in a directory");
        sync_directory(directory)?;
        Ok(database)
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

    /// Every row in order, without a look at the chain.
    pub fn rows(&self) -> Result<Vec<Row>, JournalError> {
        let read = || {
            let mut statement = self
                .connection
                .prepare("SELECT seq, at, body, hash FROM record ORDER BY seq")?;
            let rows = statement.query_map([], |row| {
                let hash: Vec<u8> = row.get(3)?;
                Ok(Row {
                    seq: row.get::<_, i64>(0)?.unsigned_abs(),
                    at: row.get(1)?,
                    body: row.get(2)?,
                    // A hash of another length equals none that is computed.
                    hash: hash.try_into().map_or(ORIGIN, Hash::from_bytes),
                })
            })?;
            rows.collect::<Result<Vec<_>, _>>()
        };
        read().map_err(|error| self.unreadable(error))
    }

    /// Every blob.
    pub fn blobs(&self) -> Result<Vec<StoredBlob>, JournalError> {
        let read = || {
            let mut statement = self
                .connection
                .prepare("SELECT id, form, text FROM blob ORDER BY rowid")?;
            let blobs =
                statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            blobs.collect::<Result<Vec<_>, _>>()
        };
        let blobs = read().map_err(|error| self.unreadable(error))?;
        blobs.into_iter().map(|parts| self.intact(parts)).collect()
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

    /// Writes everything into a new, complete, synced file.
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
            .map_err(JournalError::database(&self.path))?;
        // SQLite does not promise to sync the copy.
        file.sync_all().map_err(JournalError::io("sync", path))
    }

    fn connect_existing(path: &Path, flags: OpenFlags) -> Result<Self, JournalError> {
        check_sqlite()?;
        if !path.exists() {
            return Err(JournalError::Missing(path.to_owned()));
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
        })
    }

    fn check_schema(&self) -> Result<(), JournalError> {
        let found: u32 = self
            .connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(|error| self.unreadable(error))?;
        match found {
            0 => Err(JournalError::NeverStarted(self.path.clone())),
            found if found > SCHEMA => Err(JournalError::NewerSchema {
                path: self.path.clone(),
                found,
                known: SCHEMA,
            }),
            _ => Ok(()),
        }
    }

    fn prepare_for_writing(&self) -> Result<(), JournalError> {
        let set = || {
            let connection = &self.connection;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            // Only macOS knows these: there a plain fsync does not reach the disk.
            connection.pragma_update(None, "fullfsync", true)?;
            connection.pragma_update(None, "checkpoint_fullfsync", true)
        };
        set().map_err(JournalError::database(&self.path))
    }

    fn intact(&self, parts: (String, String, String)) -> Result<StoredBlob, JournalError> {
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
    fn unreadable(&self, error: rusqlite::Error) -> JournalError {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        let damaged = matches!(
            error.sqlite_error_code(),
            Some(DatabaseCorrupt | NotADatabase)
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
