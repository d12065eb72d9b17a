//! A mirror that lacks something is made whole when its journal is opened. After a process that died it mostly lacks the
//! last transaction, which was in the database already: that is put behind the lines that are there. Whatever else is
//! wrong with it, it is written anew.

use std::collections::HashSet;

use blake3::Hash;

use super::database::Database;
use super::mirror::{self, Mirror, MirrorContent, Rewriting, blob_line, row_line};
use super::rows::ALL;
use super::verify::Content;
use super::{JournalError, RunDirectory, layout};

/// Lines are written once there are so many bytes of them.
const PIECE: usize = 256 << 10;

/// What a mirror needs to hold everything that its database holds.
pub(super) enum Mending {
    /// Nothing.
    Whole,
    /// What stands behind its last row, whose hash this is, and any blob but these.
    Behind {
        last: (u64, Hash),
        blobs: HashSet<Hash>,
    },
    /// To be written anew.
    Anew,
}

impl Mending {
    /// What a mirror needs that agrees with the database as far as it goes.
    pub fn of<F>(mirror: &MirrorContent, content: &Content<F>) -> Self {
        let rows = &mirror.proven.rows;
        let places = rows.iter().map(|(seq, _)| *seq);
        let in_order = places.eq(1..=rows.len() as u64);
        let Some(last) = rows.last().filter(|_| in_order) else {
            return Self::Anew;
        };
        if mirror.torn || mirror.damaged > 0 {
            return Self::Anew;
        }
        let blobs: HashSet<Hash> = mirror.proven.blobs.iter().map(|(hash, _)| *hash).collect();
        match rows.len() == content.hashes.len() && blobs.len() == content.blobs.len() {
            true => Self::Whole,
            false => Self::Behind { last: *last, blobs },
        }
    }

    /// Makes the mirror whole. Where it was copied, the copy is: and takes its place.
    pub fn carry_out(
        self,
        directory: &RunDirectory,
        database: &Database,
        copied: bool,
    ) -> Result<(), JournalError> {
        let (mirror, copy) = (layout::mirror(directory), layout::fresh_mirror(directory));
        match (self, copied) {
            (Self::Whole, false) => Ok(()),
            (Self::Whole, true) => mirror::replace(&mirror, &copy),
            (Self::Behind { last, blobs }, true) => {
                complete(&mut Mirror::open(&copy)?, database, last, &blobs)?;
                mirror::replace(&mirror, &copy)
            }
            (Self::Behind { .. } | Self::Anew, _) => write_anew(directory, database),
        }
    }
}

/// Adds what a mirror does not have yet.
fn complete(
    mirror: &mut Mirror,
    database: &Database,
    (last, hash): (u64, Hash),
    blobs: &HashSet<Hash>,
) -> Result<(), JournalError> {
    let mut lines = String::new();
    let mut add = |line: &str| {
        lines.push_str(line);
        if lines.len() < PIECE {
            return Ok(());
        }
        let piece = std::mem::take(&mut lines);
        mirror.append(&piece)
    };
    database.each_blob(|blob| match blobs.contains(&blob.hash()) {
        true => Ok(()),
        false => add(&blob_line(&blob)),
    })?;
    let mut previous = hash;
    database.each_row(last + 1..=u64::MAX, |row| {
        let line = row_line(previous, row);
        previous = row.hash;
        add(&line)
    })?;
    mirror.append(&lines)?;
    mirror.sync()
}

/// Writes the mirror of a database anew.
pub(super) fn write_anew(
    directory: &RunDirectory,
    database: &Database,
) -> Result<(), JournalError> {
    let (path, fresh) = (layout::mirror(directory), layout::fresh_mirror(directory));
    mirror::rewrite(&path, fresh, |mirror: &mut Rewriting| {
        database.each_blob(|blob| mirror.blob(&blob))?;
        database.each_row(ALL, |row| mirror.row(row))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use super::super::testing::*;
    use super::super::{Journal, Record, Stored, verify};
    use super::*;
    use crate::model::Secrets;

    /// A journal that its process left open, so that it is copied; its records, and the lines of its mirror.
    fn unclosed() -> (tempfile::TempDir, RunDirectory, Vec<Stored>, Vec<String>) {
        let temp = tempfile::tempdir().unwrap();
        let directory = directory(&temp);
        let journal = Journal::create(&directory, Arc::new(Secrets::new())).unwrap();
        let mut records = journal.commit_all(vec![started(), session(1)]).unwrap();
        for nth in 1..=3 {
            let before = journal.store_blob(format!("before {nth}").as_bytes());
            let after = journal.store_blob(format!("after {nth}").as_bytes());
            let intent = Record::Intent(Box::new(change(nth, before, after)));
            records.push(journal.commit(intent).unwrap());
            records.push(journal.commit(outcome(nth, 1, value("x"))).unwrap());
        }
        // A dead process closes nothing: what lies there now is put back behind it.
        let path = layout::database(&directory);
        let left = [path.clone(), layout::log(&path)].map(|path| (fs::read(&path).unwrap(), path));
        drop(journal);
        for (bytes, path) in left {
            fs::write(&path, bytes).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            fs::set_permissions(&path, mode).unwrap();
        }
        let mirror = fs::read_to_string(layout::mirror(&directory)).unwrap();
        let lines = mirror.lines().map(|line| format!("{line}\n")).collect();
        (temp, directory, records, lines)
    }

    /// What a copy left behind that was cut short: it must not count.
    fn leave_a_copy(directory: &RunDirectory) {
        let mut copy = Mirror::open(&layout::fresh_mirror(directory)).unwrap();
        copy.append("{}\n").unwrap();
    }

    #[test]
    fn a_mirror_that_lags_behind_a_dead_process_gets_what_it_lacks() {
        let lines = unclosed().3.len();
        for kept in 0..=lines {
            let (_temp, directory, records, lines) = unclosed();
            let path = layout::mirror(&directory);
            fs::write(&path, lines[..kept].concat()).unwrap();
            leave_a_copy(&directory);
            let (journal, found) = Journal::open(&directory, Arc::new(Secrets::new())).unwrap();
            drop(journal);
            assert_eq!(found, records, "{kept} lines");
            let mended = fs::read_to_string(&path).unwrap();
            assert!(
                mended.starts_with(&lines[..kept].concat()) || kept == 0,
                "{kept} lines"
            );
            assert_eq!(mended.lines().count(), lines.len(), "{kept} lines");
            let verified = verify(&directory).unwrap();
            assert_eq!((verified.mirror_behind, verified.mirror_damaged), (0, 0));
            assert!(!layout::fresh_mirror(&directory).exists(), "{kept} lines");
        }
    }

    #[test]
    fn a_mirror_that_is_gone_torn_or_out_of_order_is_written_anew() {
        type Damage = fn(&[String]) -> Option<String>;
        let damage: [Damage; 4] = [
            |_| None,
            |lines| Some(lines.concat().trim_end().to_owned()),
            |lines| Some([&lines.concat(), "{\"row\":"].concat()),
            |lines| Some([lines.concat(), lines[0].clone()].concat()),
        ];
        for damaged in damage {
            let (_temp, directory, records, lines) = unclosed();
            let path = layout::mirror(&directory);
            match damaged(&lines) {
                Some(text) => fs::write(&path, text).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            leave_a_copy(&directory);
            let (_, found) = Journal::open(&directory, Arc::new(Secrets::new())).unwrap();
            assert_eq!(found, records);
            let mended = fs::read_to_string(&path).unwrap();
            assert_eq!(mended.lines().count(), lines.len());
            let verified = verify(&directory).unwrap();
            assert_eq!((verified.mirror_behind, verified.mirror_damaged), (0, 0));
        }
    }
}
