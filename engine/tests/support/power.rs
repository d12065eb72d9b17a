//! A model of a disk that loses power: from a trace of what a program wrote, every state in which the disk
//! may be found. Only what was synced is sure to be there: the data of a file by a sync of the file, its name
//! by a sync of its directory. Of everything else any part may be missing, whatever came first.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::sample_journal::Random;

/// The unit in which data reaches the disk, mostly; see [`Disk::pieces`].
const PAGE: usize = 4096;
/// The smallest unit.
const SECTOR: usize = 512;

/// One recorded call.
#[derive(Clone, Debug)]
pub enum Call {
    Create(PathBuf),
    Write(PathBuf, usize, Vec<u8>),
    Truncate(PathBuf, usize),
    Sync(PathBuf),
    /// A sync that failed: what it should have written is never tried again, though it can still be read.
    FailedSync(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    MakeDirectory(PathBuf),
}

/// Reads the trace that `disk_shim.c` wrote.
pub fn calls(trace: &[u8]) -> Vec<Call> {
    let mut rest = trace;
    let mut calls = Vec::new();
    while let Some((what, tail)) = rest.split_first() {
        rest = tail;
        let mut text = || {
            let length = u32::from_ne_bytes(take(&mut rest, 4).try_into().unwrap());
            PathBuf::from(String::from_utf8(take(&mut rest, length as usize).to_vec()).unwrap())
        };
        let (path, other) = (text(), text());
        let number = u64::from_ne_bytes(take(&mut rest, 8).try_into().unwrap()) as usize;
        let length = u32::from_ne_bytes(take(&mut rest, 4).try_into().unwrap());
        let data = take(&mut rest, length as usize).to_vec();
        calls.push(match what {
            b'C' => Call::Create(path),
            b'W' => Call::Write(path, number, data),
            b'T' => Call::Truncate(path, number),
            b'S' => Call::Sync(path),
            b'F' => Call::FailedSync(path),
            b'R' => Call::Rename(path, other),
            b'U' => Call::Remove(path),
            b'D' => Call::MakeDirectory(path),
            other => panic!("a call of kind {other}"),
        });
    }
    calls
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, tail) = rest.split_at(length);
    *rest = tail;
    taken
}

#[derive(Clone, Debug)]
enum DataChange {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

#[derive(Clone, Debug)]
enum NameChange {
    Appear(PathBuf, usize),
    Move(PathBuf, PathBuf, usize),
    Vanish(PathBuf),
}

impl NameChange {
    fn parent(&self) -> &Path {
        let (Self::Appear(path, _) | Self::Move(_, path, _) | Self::Vanish(path)) = self;
        path.parent().unwrap()
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Appear(path, file) => {
                names.insert(path.clone(), *file);
            }
            Self::Move(from, to, file) => {
                if names.get(from) == Some(file) {
                    names.remove(from);
                }
                names.insert(to.clone(), *file);
            }
            Self::Vanish(path) => {
                names.remove(path);
            }
        }
    }
}

/// A file's content on the disk, and what was not synced yet.
#[derive(Clone, Debug, Default)]
struct File {
    durable: Vec<u8>,
    pending: Vec<DataChange>,
}

/// The disk with everything that is still only in memory.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    files: Vec<File>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    pending_names: Vec<NameChange>,
}

/// Something that may or may not have reached the disk.
#[derive(Clone, Debug)]
enum Piece {
    Data(usize, DataChange),
    Name(NameChange),
}

impl Disk {
    /// Takes the next call in.
    pub fn apply(&mut self, call: &Call) {
        match call {
            Call::Create(path) | Call::MakeDirectory(path) => {
                let file = self.files.len();
                self.files.push(File::default());
                self.rename(NameChange::Appear(path.clone(), file));
            }
            Call::Write(path, at, data) => {
                self.change(path, DataChange::Write(*at, data.clone()));
            }
            Call::Truncate(path, size) => self.change(path, DataChange::Truncate(*size)),
            Call::Sync(path) => {
                if let Some(file) = self.names.get(path) {
                    let file = &mut self.files[*file];
                    for change in std::mem::take(&mut file.pending) {
                        change.apply(&mut file.durable);
                    }
                }
                // If it is a directory, this makes its names durable.
                let waiting = std::mem::take(&mut self.pending_names);
                for change in waiting {
                    if change.parent() == path {
                        change.apply(&mut self.durable_names);
                    } else {
                        self.pending_names.push(change);
                    }
                }
            }
            Call::FailedSync(path) => {
                if let Some(file) = self.names.get(path) {
                    self.files[*file].pending.clear();
                }
            }
            Call::Rename(from, to) => {
                let file = self.names[from];
                self.rename(NameChange::Move(from.clone(), to.clone(), file));
            }
            Call::Remove(path) => self.rename(NameChange::Vanish(path.clone())),
        }
    }

    fn rename(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.pending_names.push(change);
    }

    fn change(&mut self, path: &Path, change: DataChange) {
        // A file that was removed or replaced while it was open holds nothing any more.
        if let Some(file) = self.names.get(path) {
            self.files[*file].pending.push(change);
        }
    }

    /// Everything that is not sure to be there, in pieces of `unit` bytes.
    fn pieces(&self, unit: usize) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for (nth, file) in self.files.iter().enumerate() {
            for change in &file.pending {
                let parts = change.split(unit).into_iter();
                pieces.extend(parts.map(|part| Piece::Data(nth, part)));
            }
        }
        pieces.extend(self.pending_names.iter().cloned().map(Piece::Name));
        pieces
    }

    /// The files as they may be found: `kept` says of each piece whether it reached the disk.
    fn found(&self, pieces: &[Piece], kept: &[bool]) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut contents: Vec<Vec<u8>> =
            self.files.iter().map(|file| file.durable.clone()).collect();
        let mut names = self.durable_names.clone();
        for (piece, _) in pieces.iter().zip(kept).filter(|(_, kept)| **kept) {
            match piece {
                Piece::Data(file, change) => change.apply(&mut contents[*file]),
                Piece::Name(change) => change.apply(&mut names),
            }
        }
        let content = |(path, file): (PathBuf, usize)| (path, contents[file].clone());
        names.into_iter().map(content).collect()
    }

    /// Calls `see` with states in which the disk may be found: all of them where there are at most `most`, else
    /// the extremes, each piece alone missing and alone there, and chosen ones, `most` in all.
    pub fn states(
        &self,
        most: usize,
        random: &mut Random,
        mut see: impl FnMut(BTreeMap<PathBuf, Vec<u8>>),
    ) {
        let pieces = self.pieces(PAGE);
        let count = pieces.len();
        if count < usize::BITS as usize - 1 && 1 << count <= most {
            for subset in 0..1usize << count {
                let kept: Vec<bool> = (0..count).map(|nth| subset >> nth & 1 == 1).collect();
                see(self.found(&pieces, &kept));
            }
            return;
        }
        see(self.found(&pieces, &vec![false; count]));
        see(self.found(&pieces, &vec![true; count]));
        let sectors = self.pieces(SECTOR);
        for nth in 0..most.saturating_sub(2) {
            // In turn: one missing, one there, pages at random, sectors at random.
            let pieces = if nth % 4 == 3 { &sectors } else { &pieces };
            let chosen = random.below(pieces.len());
            let share = random.below(8);
            let kept: Vec<bool> = (0..pieces.len())
                .map(|piece| match nth % 4 {
                    0 => piece != chosen,
                    1 => piece == chosen,
                    _ => random.below(8) <= share,
                })
                .collect();
            see(self.found(pieces, &kept));
        }
    }
}

impl DataChange {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write(at, data) => {
                let end = at + data.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[*at..end].copy_from_slice(data);
            }
            Self::Truncate(size) => content.resize(*size, 0),
        }
    }

    /// The parts of a write that lie in different units of the file.
    fn split(&self, unit: usize) -> Vec<Self> {
        let Self::Write(at, data) = self else {
            return vec![self.clone()];
        };
        let (mut at, mut rest) = (*at, data.as_slice());
        let mut parts = Vec::new();
        while !rest.is_empty() {
            let (part, tail) = rest.split_at(rest.len().min(unit - at % unit));
            parts.push(Self::Write(at, part.to_vec()));
            at += part.len();
            rest = tail;
        }
        parts
    }
}
