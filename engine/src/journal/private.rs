//! Files and directories that only their owner may use (M9), made so that they are still there after a
//! power cut, on a file system whose locks and syncs can be relied on.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::JournalError;

const DIRECTORY: u32 = 0o700;
const FILE: u32 = 0o600;

/// Makes the directory and its parents where they are missing, each synced into its parent.
pub(super) fn create_directory(path: &Path) -> Result<(), JournalError> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        create_directory(parent)?;
    }
    match DirBuilder::new().mode(DIRECTORY).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        Err(error) => return Err(JournalError::io("create the directory", path)(error)),
    }
    sync_directory(parent.unwrap_or(Path::new(".")))
}

/// Makes the names in a directory durable.
pub(super) fn sync_directory(path: &Path) -> Result<(), JournalError> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(JournalError::io("sync the directory", path))
}

/// Refuses what others may use or own.
pub(super) fn check_private(path: &Path) -> Result<(), JournalError> {
    let metadata = fs::metadata(path).map_err(JournalError::io("look at", path))?;
    let (owner, you) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner != you {
        return Err(JournalError::Owner {
            path: path.to_owned(),
            owner,
            you,
        });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        let wanted = if metadata.is_dir() { DIRECTORY } else { FILE };
        return Err(JournalError::TooOpen {
            path: path.to_owned(),
            mode,
            wanted,
        });
    }
    Ok(())
}

/// Options that make a new file private from its first moment.
pub(super) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(FILE);
    options
}

/// Refuses a network file system.
pub(super) fn check_local(path: &Path) -> Result<(), JournalError> {
    match network_kind(path)? {
        Some(kind) => Err(JournalError::NetworkFileSystem {
            path: path.to_owned(),
            kind,
        }),
        None => Ok(()),
    }
}

/// The network file system that holds `path`, if one does. Magic numbers: statfs(2).
#[cfg(target_os = "linux")]
fn network_kind(path: &Path) -> Result<Option<String>, JournalError> {
    let found = rustix::fs::statfs(path)
        .map_err(|error| JournalError::io("look at the file system of", path)(error.into()))?;
    // The field's type differs between architectures; the numbers all fit into 32 bits.
    let kind = found.f_type as u32;
    if kind == FUSE {
        return Ok(remote_fuse(path));
    }
    Ok(network_name(kind).map(str::to_owned))
}

/// A file system in user space: what is behind it only its mount says.
#[cfg(target_os = "linux")]
const FUSE: u32 = 0x6573_5546;

/// The name of a network file system, if this is the magic number of one.
#[cfg(target_os = "linux")]
fn network_name(magic: u32) -> Option<&'static str> {
    match magic {
        0x6969 => Some("NFS"),
        0x517B | 0xFF53_4D42 | 0xFE53_4D42 => Some("SMB/CIFS"),
        0x0102_1997 => Some("9P"),
        0x00C3_6400 => Some("Ceph"),
        0x5346_414F | 0x6B41_4653 => Some("AFS"),
        0x7375_7245 => Some("Coda"),
        0x0BD0_0BD0 => Some("Lustre"),
        0x4750_4653 => Some("GPFS"),
        0x0116_1970 => Some("GFS2"),
        _ => None,
    }
}

#[cfg(not(target_os = "linux"))]
fn network_kind(_path: &Path) -> Result<Option<String>, JournalError> {
    Ok(None)
}

/// Names the FUSE file system at `path`, unless it is known to keep its data on a local disk.
#[cfg(target_os = "linux")]
fn remote_fuse(path: &Path) -> Option<String> {
    const LOCAL: [&str; 5] = [
        "fuseblk",
        "fuse.fuse-overlayfs",
        "fuse.gocryptfs",
        "fuse.encfs",
        "fuse.lazyfs",
    ];
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let kind = fuse_kind(&mounts, &real).unwrap_or_else(|| "FUSE".to_owned());
    (!LOCAL.contains(&kind.as_str())).then_some(kind)
}

/// The type of the innermost mount above `path`, from the text of /proc/self/mountinfo (proc_pid_mountinfo(5)).
#[cfg(target_os = "linux")]
fn fuse_kind(mounts: &str, path: &Path) -> Option<String> {
    let mount = |line: &str| {
        let (left, right) = line.split_once(" - ")?;
        let point = left.split(' ').nth(4)?.replace("\\040", " ");
        let kind = right.split(' ').next()?.to_owned();
        path.starts_with(&point).then_some((point.len(), kind))
    };
    // Of several mounts on one point, the last is the visible one, and max_by_key returns the last.
    let innermost = mounts
        .lines()
        .filter_map(mount)
        .max_by_key(|(length, _)| *length);
    innermost.map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn creates_private_and_refuses_open() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("a/b");
        create_directory(&path).unwrap();
        check_private(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
        let message = check_private(&path).unwrap_err().to_string();
        assert!(message.contains("chmod 700"), "{message}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn knows_network_file_systems_from_local_ones() {
        // NFS, SMB, CIFS, SMB2, 9P, and then ext4, tmpfs, overlay, btrfs, xfs (statfs(2)).
        for magic in [0x6969, 0x517B, 0xFF53_4D42, 0xFE53_4D42, 0x0102_1997] {
            assert!(network_name(magic).is_some(), "{magic:x}");
        }
        for magic in [0xEF53, 0x0102_1994, 0x794C_7630, 0x9123_683E, 0x5846_5342] {
            assert_eq!(network_name(magic), None, "{magic:x}");
        }
        let mounts = "1 0 8:1 / / rw - ext4 /dev/sda rw\n2 1 0:50 / /s rw - fuse.sshfs host: rw\n";
        assert_eq!(
            fuse_kind(mounts, Path::new("/s/state")).as_deref(),
            Some("fuse.sshfs")
        );
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn finds_the_innermost_mount() {
        let mounts = "1 0 8:1 / / rw - ext4 /dev/sda rw\n\
                      2 1 0:50 / /home/my\\040files rw,nosuid shared:1 - fuse.sshfs host: rw\n";
        let kind = |path: &str| fuse_kind(mounts, Path::new(path));
        assert_eq!(kind("/home/my files/x").as_deref(), Some("fuse.sshfs"));
        assert_eq!(kind("/home/my").as_deref(), Some("ext4"));
    }
}
