//! The files of a simulated machine: a tree in memory with modes, owners, times and symbolic links.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::FileImage;

/// How many symbolic links a path may go through (as in Linux).
const SYMLINK_LIMIT: usize = 40;

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// A regular file, the time of its last modification (seconds since the epoch) and its inode number.
    File(FileImage, i64, u64),
    /// A directory with its permission bits, modification time and inode number.
    Directory(u32, i64, u64),
    /// A symbolic link and its target.
    Symlink(String),
}

/// Why a file operation failed, in the kernel's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileError {
    /// ENOENT.
    NotFound,
    /// ENOTDIR.
    NotADirectory,
    /// EISDIR.
    IsADirectory,
    /// EEXIST.
    Exists,
    /// ENOTEMPTY.
    NotEmpty,
    /// ELOOP.
    Loop,
    /// EROFS: `/proc` and `/sys` take no files.
    ReadOnly,
}

impl std::fmt::Display for FileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotFound => "No such file or directory",
            Self::NotADirectory => "Not a directory",
            Self::IsADirectory => "Is a directory",
            Self::Exists => "File exists",
            Self::NotEmpty => "Directory not empty",
            Self::Loop => "Too many levels of symbolic links",
            Self::ReadOnly => "Read-only file system",
        })
    }
}

/// A tree of files, by absolute path. Every parent of an entry is an entry; the root is implied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FileTree(BTreeMap<String, Entry>);

impl FileTree {
    /// The entry at a path, symbolic links followed, with its real path.
    pub fn get(&self, path: &str) -> Result<(String, &Entry), FileError> {
        let real = self.resolve(path, true)?;
        if real == "/" {
            return Ok((real, &ROOT));
        }
        let entry = self.0.get(&real).ok_or(FileError::NotFound)?;
        Ok((real, entry))
    }

    /// The entry at a path, its last component not followed.
    pub fn get_link(&self, path: &str) -> Result<(String, &Entry), FileError> {
        let real = self.resolve(path, false)?;
        let entry = self.0.get(&real).ok_or(FileError::NotFound)?;
        Ok((real, entry))
    }

    /// A regular file's image and modification time.
    pub fn file(&self, path: &str) -> Result<(&FileImage, i64), FileError> {
        match self.get(path)?.1 {
            Entry::File(image, modified, _) => Ok((image, *modified)),
            _ => Err(FileError::IsADirectory),
        }
    }

    /// All entries by path.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.0.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// A regular file as text; what is not UTF-8 is replaced.
    pub fn text(&self, path: &str) -> Option<String> {
        let (image, _) = self.file(path).ok()?;
        Some(String::from_utf8_lossy(&image.content).into_owned())
    }

    /// Puts a new regular file at a path (that of the final target, where it is a symbolic link), in the place of what
    /// was there.
    pub fn put(&mut self, path: &str, image: FileImage, now: i64) -> Result<(), FileError> {
        let real = self.resolve(path, true)?;
        self.require_parent(&real)?;
        if real == "/" || matches!(self.0.get(&real), Some(Entry::Directory(..))) {
            return Err(FileError::IsADirectory);
        }
        let inode = self.free_inode();
        self.0.insert(real, Entry::File(image, now, inode));
        Ok(())
    }

    /// Makes the file that is there another without replacing it; a new one where there is none.
    pub fn put_into(&mut self, path: &str, image: FileImage, now: i64) -> Result<(), FileError> {
        let real = self.resolve(path, true)?;
        match self.0.get_mut(&real) {
            Some(Entry::File(known, modified, _)) => {
                (*known, *modified) = (image, now);
                Ok(())
            }
            _ => self.put(path, image, now),
        }
    }

    /// Writes bytes into the file that is there, which keeps mode and owner, else into a new one of 0644 root.
    pub fn write(&mut self, path: &str, content: Vec<u8>, now: i64) -> Result<(), FileError> {
        let image = match self.file(path) {
            Ok((image, _)) => FileImage {
                content,
                ..image.clone()
            },
            Err(FileError::NotFound) => plain(content, 0o644),
            Err(error) => return Err(error),
        };
        self.put_into(path, image, now)
    }

    /// Sets the time of a file's last modification.
    pub fn set_time(&mut self, path: &str, time: i64) -> Result<(), FileError> {
        let real = self.resolve(path, true)?;
        match self.0.get_mut(&real) {
            Some(Entry::File(_, modified, _) | Entry::Directory(_, modified, _)) => {
                *modified = time;
                Ok(())
            }
            _ => Err(FileError::NotFound),
        }
    }

    /// An inode number that nothing here has. Like the kernel's, one may come again when what had it is gone.
    fn free_inode(&self) -> u64 {
        let inodes = self.0.values().map(|entry| match entry {
            Entry::File(_, _, inode) | Entry::Directory(_, _, inode) => *inode,
            Entry::Symlink(_) => 0,
        });
        inodes.max().unwrap_or(0).max(ROOT_INODE) + 1
    }

    /// Makes a symbolic link.
    pub fn symlink(&mut self, path: &str, target: &str) -> Result<(), FileError> {
        let real = self.resolve(path, false)?;
        self.require_parent(&real)?;
        if self.0.contains_key(&real) {
            return Err(FileError::Exists);
        }
        self.0.insert(real, Entry::Symlink(target.to_owned()));
        Ok(())
    }

    /// Makes a directory and its parents.
    pub fn make_directories(&mut self, path: &str, now: i64) -> Result<(), FileError> {
        let real = self.resolve(path, true)?;
        for parent in ancestors(&real).chain([real.as_str()]) {
            match self.0.get(parent) {
                None => {
                    let made = Entry::Directory(0o755, now, self.free_inode());
                    self.0.insert(parent.to_owned(), made);
                }
                Some(Entry::Directory(..)) => {}
                Some(_) => return Err(FileError::NotADirectory),
            }
        }
        Ok(())
    }

    /// Removes a file or symbolic link.
    pub fn remove(&mut self, path: &str) -> Result<(), FileError> {
        let (real, entry) = self.get_link(path)?;
        if matches!(entry, Entry::Directory(..)) {
            return Err(FileError::IsADirectory);
        }
        self.0.remove(&real);
        Ok(())
    }

    /// Removes a directory, with everything in it if `recursive`.
    pub fn remove_directory(&mut self, path: &str, recursive: bool) -> Result<(), FileError> {
        let (real, entry) = self.get_link(path)?;
        if !matches!(entry, Entry::Directory(..)) {
            return Err(FileError::NotADirectory);
        }
        let inside = self.below(&real);
        if !inside.is_empty() && !recursive {
            return Err(FileError::NotEmpty);
        }
        for path in inside {
            self.0.remove(&path);
        }
        self.0.remove(&real);
        Ok(())
    }

    /// Removes everything in a directory.
    pub fn empty(&mut self, directory: &str) {
        for path in self.below(directory) {
            self.0.remove(&path);
        }
    }

    /// Renames a file or symbolic link over whatever file is there.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), FileError> {
        let (from_real, entry) = self.get_link(from)?;
        let entry = entry.clone();
        if matches!(entry, Entry::Directory(..)) {
            return Err(FileError::IsADirectory);
        }
        let to_real = self.resolve(to, false)?;
        self.require_parent(&to_real)?;
        if let Some(Entry::Directory(..)) = self.0.get(&to_real) {
            return Err(FileError::IsADirectory);
        }
        self.0.remove(&from_real);
        self.0.insert(to_real, entry);
        Ok(())
    }

    /// Sets permission bits.
    pub fn set_mode(&mut self, path: &str, mode: u32) -> Result<(), FileError> {
        let real = self.resolve(path, true)?;
        match self.0.get_mut(&real) {
            None => Err(FileError::NotFound),
            Some(Entry::File(image, ..)) => {
                image.mode = mode;
                Ok(())
            }
            Some(Entry::Directory(bits, ..)) => {
                *bits = mode;
                Ok(())
            }
            Some(Entry::Symlink(_)) => Err(FileError::Loop),
        }
    }

    /// The names in a directory, sorted.
    pub fn names(&self, path: &str) -> Result<Vec<String>, FileError> {
        let (real, entry) = self.get(path)?;
        if !matches!(entry, Entry::Directory(..)) {
            return Err(FileError::NotADirectory);
        }
        let prefix = if real == "/" {
            real
        } else {
            format!("{real}/")
        };
        Ok(self
            .0
            .range(prefix.clone()..)
            .map_while(|(path, _)| path.strip_prefix(&prefix))
            .filter(|rest| !rest.is_empty() && !rest.contains('/'))
            .map(str::to_owned)
            .collect())
    }

    fn below(&self, directory: &str) -> Vec<String> {
        let prefix = format!("{directory}/");
        self.0
            .range(prefix.clone()..)
            .map(|(path, _)| path)
            .take_while(|path| path.starts_with(&prefix))
            .cloned()
            .collect()
    }

    fn require_parent(&self, real: &str) -> Result<(), FileError> {
        match ancestors(real).last() {
            None => Ok(()),
            Some(parent) => match self.0.get(parent) {
                Some(Entry::Directory(..)) => Ok(()),
                Some(_) => Err(FileError::NotADirectory),
                None => Err(FileError::NotFound),
            },
        }
    }

    /// The real path: `.`, `..` and symbolic links resolved, the last component only if `follow`.
    fn resolve(&self, path: &str, follow: bool) -> Result<String, FileError> {
        let mut left = SYMLINK_LIMIT;
        let mut todo: Vec<String> = components(path).rev().map(str::to_owned).collect();
        let mut real = String::new();
        while let Some(component) = todo.pop() {
            match component.as_str() {
                "." => continue,
                ".." => {
                    real.truncate(real.rfind('/').unwrap_or(0));
                    continue;
                }
                _ => {}
            }
            let next = format!("{real}/{component}");
            match self.0.get(&next) {
                Some(Entry::Symlink(target)) if follow || !todo.is_empty() => {
                    left = left.checked_sub(1).ok_or(FileError::Loop)?;
                    if target.starts_with('/') {
                        real.clear();
                    }
                    todo.extend(components(target).rev().map(str::to_owned));
                }
                Some(Entry::File(..)) if !todo.is_empty() => return Err(FileError::NotADirectory),
                _ => real = next,
            }
        }
        Ok(if real.is_empty() { "/".into() } else { real })
    }
}

/// As in ext4 (linux: fs/ext4/ext4.h, EXT4_ROOT_INO).
const ROOT_INODE: u64 = 2;
static ROOT: Entry = Entry::Directory(0o755, 0, ROOT_INODE);

/// A file of root's.
pub fn plain(content: Vec<u8>, mode: u32) -> FileImage {
    FileImage {
        content,
        mode,
        uid: 0,
        gid: 0,
        selinux: None,
    }
}

fn components(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

/// The directories above a real path, outermost first, without the root.
fn ancestors(real: &str) -> impl Iterator<Item = &str> {
    real.match_indices('/')
        .map(|(at, _)| &real[..at])
        .filter(|parent| !parent.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> FileTree {
        let mut tree = FileTree::default();
        tree.make_directories("/etc/a", 1).unwrap();
        tree.write("/etc/a/file", b"x".to_vec(), 1).unwrap();
        tree.symlink("/etc/link", "a/file").unwrap();
        tree.symlink("/etc/dir", "/etc/a").unwrap();
        tree
    }

    #[test]
    fn symbolic_links_are_followed_on_the_way_and_at_the_end() {
        let mut tree = tree();
        assert_eq!(tree.text("/etc/dir/../link").unwrap(), "x");
        tree.write("/etc/link", b"y".to_vec(), 2).unwrap();
        assert_eq!(tree.text("/etc/a/file").unwrap(), "y");
        assert!(matches!(
            tree.get_link("/etc/link").unwrap().1,
            Entry::Symlink(_)
        ));
        tree.symlink("/etc/loop", "loop").unwrap();
        assert_eq!(tree.get("/etc/loop").unwrap_err(), FileError::Loop);
    }

    #[test]
    fn a_file_that_is_replaced_is_another_and_one_that_is_written_is_not() {
        let mut tree = tree();
        let inode = |tree: &FileTree, path: &str| match tree.get(path).unwrap().1 {
            Entry::File(_, _, inode) | Entry::Directory(_, _, inode) => *inode,
            Entry::Symlink(_) => unreachable!("links are followed"),
        };
        let first = inode(&tree, "/etc/a/file");
        assert!(
            ![
                inode(&tree, "/"),
                inode(&tree, "/etc"),
                inode(&tree, "/etc/a")
            ]
            .contains(&first)
        );
        tree.write("/etc/link", b"y".to_vec(), 2).unwrap();
        tree.put_into("/etc/link", plain(b"z".to_vec(), 0o600), 2)
            .unwrap();
        assert_eq!(
            (
                tree.text("/etc/a/file").unwrap().as_str(),
                inode(&tree, "/etc/a/file")
            ),
            ("z", first)
        );
        tree.put("/etc/link", plain(b"y".to_vec(), 0o644), 2)
            .unwrap();
        let second = inode(&tree, "/etc/a/file");
        assert_ne!(second, first);
        tree.rename("/etc/a/file", "/etc/b").unwrap();
        assert_eq!(inode(&tree, "/etc/b"), second);
        tree.set_time("/etc/b", 7).unwrap();
        assert_eq!(
            (tree.file("/etc/b").unwrap().1, inode(&tree, "/etc/b")),
            (7, second)
        );
    }

    #[test]
    fn a_missing_directory_takes_no_file() {
        let mut tree = tree();
        assert_eq!(
            tree.write("/no/file", vec![], 1).unwrap_err(),
            FileError::NotFound
        );
        assert_eq!(
            tree.write("/etc/a/file/below", vec![], 1).unwrap_err(),
            FileError::NotADirectory
        );
        for root in ["/", ""] {
            let image = plain(vec![], 0o644);
            let refused = [
                tree.write(root, vec![], 1),
                tree.put(root, image.clone(), 1),
                tree.put_into(root, image, 1),
            ];
            assert!(
                refused
                    .iter()
                    .all(|done| *done == Err(FileError::IsADirectory)),
                "{refused:?}"
            );
        }
        assert_eq!(tree.names("/etc").unwrap(), ["a", "dir", "link"]);
    }
}
