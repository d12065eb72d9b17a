//! Files: look, read, compare and replace. Replacing renames, so other hard links of the old file keep the
//! old content.

use super::exchange::Body;
use super::{Nothing, Question, ShellLink, ShellTarget};
use crate::model::{FileImage, FileState, TargetPath};
use crate::transport::{Cancel, FILE_LIMIT, FileKind, FileStat, Stream, TransportError};

/// `look.sh` asks for the others.
const TOOLS_TO_LOOK: &[&str] = &["id", "tr"];
const TOOLS_TO_REPLACE: &[&str] = &[
    "stat", "readlink", "head", "id", "tr", "mkdir", "cat", "wc", "tail", "mv", "ln", "rm",
    "chmod", "chown", "sync", "touch",
];

/// How often a file that changes while it is read is read again.
const READ_ATTEMPTS: u32 = 5;

/// The bits of `st_mode` that are permissions.
const PERMISSIONS: u32 = 0o7777;

impl<L: ShellLink> ShellTarget<L> {
    pub(super) fn look(&self, path: &TargetPath) -> Result<Option<FileStat>, TransportError> {
        let cancel = Cancel::default();
        let question = Question::new("look", &["stat", path.as_str(), "0"]).tools(TOOLS_TO_LOOK);
        let words = self.ask(&question, &mut Nothing, &cancel)?;
        if words == "absent" {
            return Ok(None);
        }
        let (stat, _) = parse_facts(&words).ok_or_else(|| self.puzzled(&words))?;
        Ok(Some(stat))
    }

    pub(super) fn read(&self, path: &TargetPath) -> Result<FileState, TransportError> {
        let cancel = Cancel::default();
        let limit = FILE_LIMIT.to_string();
        let question = Question::new("look", &["read", path.as_str(), &limit]).tools(TOOLS_TO_LOOK);
        for _ in 0..READ_ATTEMPTS {
            let mut content = Content(Vec::new());
            let words = self.ask(&question, &mut content, &cancel)?;
            match words.as_str() {
                "absent" => return Ok(FileState::Absent),
                "moving" => continue,
                _ => {}
            }
            let (stat, context) = parse_facts(&words).ok_or_else(|| self.puzzled(&words))?;
            if content.0.len() as u64 > FILE_LIMIT {
                return Err(self.refused(format!(
                    "{path} has more than {FILE_LIMIT} bytes; use a command for larger files"
                )));
            }
            return Ok(FileState::Present(FileImage {
                content: content.0,
                mode: stat.mode,
                uid: stat.uid,
                gid: stat.gid,
                selinux: context,
            }));
        }
        Err(self.refused(format!(
            "{path} changed each of the {READ_ATTEMPTS} times while it was read; something writes it all the time"
        )))
    }

    pub(super) fn replace(
        &self,
        path: &TargetPath,
        expected: &FileState,
        wanted: &FileState,
    ) -> Result<(), TransportError> {
        let cancel = Cancel::default();
        let (expected_length, expected_facts) = match expected {
            FileState::Absent => ("-".to_owned(), String::new()),
            FileState::Present(image) => (
                image.content.len().to_string(),
                format!("{} {} {}", image.mode, image.uid, image.gid),
            ),
        };
        let wanted_words = match wanted {
            FileState::Absent => ["-", "", "", "", ""].map(str::to_owned),
            FileState::Present(image) if image.content.len() as u64 > FILE_LIMIT => {
                return Err(self.refused(format!(
                    "{path}: files of at most {FILE_LIMIT} bytes are written, not {}",
                    image.content.len()
                )));
            }
            FileState::Present(image) => [
                image.content.len().to_string(),
                format!("{:04o}", image.mode & PERMISSIONS),
                image.uid.to_string(),
                image.gid.to_string(),
                image.selinux.clone().unwrap_or_default(),
            ],
        };
        let mut arguments = vec![path.as_str(), &expected_length, &expected_facts];
        arguments.extend(wanted_words.iter().map(String::as_str));
        let question = Question::new("replace", &arguments)
            .tools(TOOLS_TO_REPLACE)
            .input(&[
                expected.content().unwrap_or_default(),
                wanted.content().unwrap_or_default(),
            ]);
        match self.ask(&question, &mut Nothing, &cancel)?.as_str() {
            "done" => Ok(()),
            "changed" => Err(TransportError::Changed {
                target: self.link().target().clone(),
                what: path.to_string(),
            }),
            words => Err(self.puzzled(words)),
        }
    }
}

/// `facts RAWMODE SIZE UID GID MTIME INODE DEVICE [CONTEXT]`; the raw mode is hexadecimal.
fn parse_facts(words: &str) -> Option<(FileStat, Option<String>)> {
    let mut fields = words.strip_prefix("facts ")?.split_whitespace();
    let raw = u32::from_str_radix(fields.next()?, 16).ok()?;
    let stat = FileStat {
        // The file type bits of st_mode (inode(7)).
        kind: match raw & 0o170_000 {
            0o100_000 => FileKind::File,
            0o040_000 => FileKind::Directory,
            _ => FileKind::Other,
        },
        mode: raw & PERMISSIONS,
        size: fields.next()?.parse().ok()?,
        uid: fields.next()?.parse().ok()?,
        gid: fields.next()?.parse().ok()?,
        modified: fields.next()?.parse().ok()?,
        inode: fields.next()?.parse().ok()?,
    };
    let context = fields.nth(1).filter(|context| *context != "?");
    Some((stat, context.map(str::to_owned)))
}

/// The bytes of a file; of one that is too large, one more than allowed. The target is asked to send no more,
/// but one that sends on all the same must not fill our memory.
struct Content(Vec<u8>);

impl Body for Content {
    fn body(&mut self, stream: Stream, bytes: &[u8]) {
        if stream == Stream::Stdout {
            let most = usize::try_from(FILE_LIMIT + 1).unwrap_or(usize::MAX);
            let room = most.saturating_sub(self.0.len()).min(bytes.len());
            self.0.extend_from_slice(&bytes[..room]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_sends_without_end_is_not_kept() {
        let mut content = Content(Vec::new());
        for _ in 0..40 {
            content.body(Stream::Stdout, &[b'x'; 1 << 20]);
        }
        assert_eq!(content.0.len() as u64, FILE_LIMIT + 1);
    }

    #[test]
    fn facts_that_make_no_sense_are_refused() {
        assert!(parse_facts("facts 81a4 5 0 0 1700000000 7 8").is_some());
        for words in [
            "facts",
            "facts 81a4",
            "facts -1 5 0 0 1 7 8",
            "facts 81a4 -5 0 0 1 7 8",
            "facts 81a4 99999999999999999999 0 0 1 7 8",
            "facts 81a4 5 -1 0 1 7 8",
            "facts 81a4 5 0 4294967296 1 7 8",
            "facts ffffffffff 5 0 0 1 7 8",
            "facts 81a4 5 0 0 later 7 8",
            "facts 81a4 5 0 0 1 seven 8",
            "facts 81a4 5 0 0 1",
            "other 81a4 5 0 0 1 7 8",
        ] {
            assert!(parse_facts(words).is_none(), "{words}");
        }
    }
}
