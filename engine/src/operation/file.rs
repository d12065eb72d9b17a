//! The file words: read, exists, stat; write, edit, set_line, set_yaml, remove.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use crate::model::{FileImage, FileState, Image, Subject, Target, TargetPath, Value};
use crate::text::{line, yaml};
use crate::transport::{
    ActingFleet, Cancel, Command, Exit, FILE_LIMIT, FileKind, FileStat, Observer, ObservingFleet,
    Program,
};

use super::{Change, Failure, Observation, Report};

/// A question about a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileQuestion {
    /// Its text.
    Read,
    /// Whether anything is there.
    Exists,
    /// What it is: a map of kind, size, mode (octal text), uid, gid, modified (seconds) and inode; null if nothing is there.
    Stat,
}

/// Looks at a file.
#[derive(Clone, Debug)]
pub struct LookAtFile {
    /// Where.
    pub target: Target,
    /// Which.
    pub path: TargetPath,
    /// What to tell.
    pub question: FileQuestion,
}

impl Observation for LookAtFile {
    fn kind(&self) -> &str {
        match self.question {
            FileQuestion::Read => "file.read",
            FileQuestion::Exists => "file.exists",
            FileQuestion::Stat => "file.stat",
        }
    }

    fn arguments(&self) -> Value {
        Value::from_entries([("path", Value::from(self.path.as_str()))])
    }

    fn summary(&self) -> String {
        match self.question {
            FileQuestion::Read => format!("read {}", self.path),
            FileQuestion::Exists => format!("whether {} exists", self.path),
            FileQuestion::Stat => format!("stat {}", self.path),
        }
    }

    fn file(&self) -> Option<&TargetPath> {
        Some(&self.path)
    }

    fn observe(&self, fleet: &dyn ObservingFleet, _: &Cancel) -> Result<Value, Failure> {
        let observer = fleet.observer(&self.target)?;
        match self.question {
            FileQuestion::Exists => Ok(observer.stat(&self.path)?.is_some().into()),
            FileQuestion::Stat => Ok(observer
                .stat(&self.path)?
                .as_ref()
                .map_or(Value::Null, facts)),
            FileQuestion::Read => match observer.read_file(&self.path)? {
                FileState::Absent => Err(Failure::Failed(
                    Report::new(format!("{} is not there", self.path))
                        .on(&self.target)
                        .hint("ask with exists() first, where the file may be missing"),
                )),
                FileState::Present(image) => {
                    Ok(text_of(&image, &self.path, &self.target)?.to_owned().into())
                }
            },
        }
    }
}

fn facts(stat: &FileStat) -> Value {
    let kind = match stat.kind {
        FileKind::File => "file",
        FileKind::Directory => "directory",
        FileKind::Other => "other",
    };
    Value::from_entries([
        ("kind", kind.into()),
        (
            "size",
            Value::Int(i64::try_from(stat.size).unwrap_or(i64::MAX)),
        ),
        ("mode", Value::from(format!("{:04o}", stat.mode))),
        ("uid", Value::Int(stat.uid.into())),
        ("gid", Value::Int(stat.gid.into())),
        ("modified", Value::Int(stat.modified)),
        ("inode", Value::Int(stat.inode.cast_signed())),
    ])
}

fn text_of<'a>(
    image: &'a FileImage,
    path: &TargetPath,
    target: &Target,
) -> Result<&'a str, Failure> {
    std::str::from_utf8(&image.content).map_err(|error| {
        Failure::Failed(
            Report::new(format!(
                "{path} is not text: byte {} of {} is not UTF-8",
                error.valid_up_to() + 1,
                image.content.len()
            ))
            .on(target)
            .hint("words that read or edit text cannot work on it; use a command on the target, or write()"),
        )
    })
}

/// Edits a text: a closure of the script.
pub type EditClosure<'a> = Box<dyn Fn(&str) -> Result<String, Failure> + 'a>;

/// What a file shall become.
pub enum FileEdit<'a> {
    /// Exactly this text.
    Write(String),
    /// What the closure makes of its text (of the empty text, where there is no file).
    Edit(EditClosure<'a>),
    /// One line set by its key, see [`line::set_line`].
    SetLine {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// Between the two in a new line.
        separator: String,
    },
    /// One key of a YAML map set, see [`yaml::set_yaml`].
    SetYaml {
        /// The keys, outermost first.
        path: Vec<String>,
        /// The value.
        value: Value,
    },
    /// Not there.
    Remove,
}

impl fmt::Debug for FileEdit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.arguments().canonical())
    }
}

impl FileEdit<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Self::Write(_) => "file.write",
            Self::Edit(_) => "file.edit",
            Self::SetLine { .. } => "file.set_line",
            Self::SetYaml { .. } => "file.set_yaml",
            Self::Remove => "file.remove",
        }
    }

    fn arguments(&self) -> Value {
        match self {
            Self::Write(content) => Value::from(content.clone()),
            // A closure has no plain form; what it makes of the file is in the images.
            Self::Edit(_) => Value::from("closure"),
            Self::SetLine {
                key,
                value,
                separator,
            } => Value::from(vec![key.clone(), value.clone(), separator.clone()]),
            Self::SetYaml { path, value } => Value::from_entries([
                ("path", Value::from(path.clone())),
                ("value", value.clone()),
            ]),
            Self::Remove => Value::Null,
        }
    }
}

/// Changes a file.
#[derive(Debug)]
pub struct ChangeFile<'a> {
    target: Target,
    path: TargetPath,
    edit: FileEdit<'a>,
    mode: Option<u32>,
    owner: (Option<u32>, Option<u32>),
    /// Who we are on the target: the owner of a file that is new. Looked up with the file, where it is not there.
    ourselves: OnceLock<(u32, u32)>,
}

/// Permission bits of a new file for which nobody says any.
const NEW_FILE_MODE: u32 = 0o644;

/// How long to wait for the target's answer who we are there.
const IDENTITY_TIMEOUT: Duration = Duration::from_secs(30);

impl<'a> ChangeFile<'a> {
    /// An edit of a file that keeps its mode and owner. A new file gets 0644 and belongs to who writes it.
    pub fn new(target: Target, path: TargetPath, edit: FileEdit<'a>) -> Self {
        Self {
            target,
            path,
            edit,
            mode: None,
            owner: (None, None),
            ourselves: OnceLock::new(),
        }
    }

    /// With these permission bits (octal 7777); none keeps them.
    #[must_use]
    pub fn mode(mut self, mode: Option<u32>) -> Self {
        self.mode = mode;
        self
    }

    /// With this owner and group, as numbers; none keeps them.
    #[must_use]
    pub fn owner(mut self, uid: Option<u32>, gid: Option<u32>) -> Self {
        self.owner = (uid, gid);
        self
    }

    fn refused(&self, why: impl fmt::Display) -> Failure {
        Failure::Failed(Report::new(format!("{}: {why}", self.path)).on(&self.target))
    }

    /// The new content; none removes the file.
    fn content(&self, old: Option<&FileImage>) -> Result<Option<Vec<u8>>, Failure> {
        let text = || old.map_or(Ok(""), |image| text_of(image, &self.path, &self.target));
        let edited = match &self.edit {
            FileEdit::Remove => return Ok(None),
            FileEdit::Write(content) => content.clone(),
            FileEdit::Edit(edit) => edit(text()?)?,
            FileEdit::SetLine {
                key,
                value,
                separator,
            } => line::set_line(text()?, key, value, separator)
                .map_err(|error| self.refused(error))?,
            FileEdit::SetYaml { path, value } => {
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                yaml::set_yaml(text()?, &path, &plain(value))
                    .map_err(|error| self.refused(error))?
            }
        };
        if edited.len() as u64 > FILE_LIMIT {
            let report = Report::new(format!(
                "{} would have {} bytes; file words write at most {} MiB",
                self.path,
                edited.len(),
                FILE_LIMIT >> 20
            ));
            let report = report
                .on(&self.target)
                .hint("bring larger files there with a command");
            return Err(Failure::Failed(report));
        }
        Ok(Some(edited.into_bytes()))
    }

    fn needs_identity(&self) -> bool {
        !matches!(self.edit, FileEdit::Remove) && (self.owner.0.is_none() || self.owner.1.is_none())
    }

    /// Asks the target who we are there. Where it cannot say, root is assumed: whoever is not root is refused by
    /// the target when the file is given to root, so that a wrong guess is never silent.
    fn identity(&self, observer: &dyn Observer, cancel: &Cancel) -> Result<(u32, u32), Failure> {
        let command = Command {
            program: Program::Shell("id -u; id -g".into()),
            ..Command::argv([""; 0])
        };
        let output = observer.probe(&command, IDENTITY_TIMEOUT, cancel)?;
        let text = output.stdout.text();
        let mut numbers = text.lines().map(|line| line.trim().parse::<u32>().ok());
        match (
            output.exit,
            numbers.next().flatten(),
            numbers.next().flatten(),
        ) {
            (Exit::Code(0), Some(uid), Some(gid)) => Ok((uid, gid)),
            _ => Ok((0, 0)),
        }
    }
}

/// A value of which nothing is known before the run stands in a plan as its mark.
fn plain(value: &Value) -> Value {
    match value {
        Value::Unknown(unknown) => Value::from(unknown.to_string()),
        Value::List(items) => Value::List(items.iter().map(plain).collect()),
        other => other.clone(),
    }
}

impl Change for ChangeFile<'_> {
    fn kind(&self) -> &str {
        self.edit.kind()
    }

    fn arguments(&self) -> Value {
        Value::from_entries([
            ("path", Value::from(self.path.as_str())),
            ("edit", self.edit.arguments()),
            ("mode", self.mode.map(i64::from).into()),
            ("uid", self.owner.0.map(i64::from).into()),
            ("gid", self.owner.1.map(i64::from).into()),
        ])
    }

    fn summary(&self) -> String {
        let path = &self.path;
        match &self.edit {
            FileEdit::Write(_) => format!("write {path}"),
            FileEdit::Edit(_) => format!("edit {path}"),
            FileEdit::SetLine {
                key,
                value,
                separator,
            } => format!("set {key}{separator}{value} in {path}"),
            FileEdit::SetYaml { path: keys, value } => {
                format!("set {}: {value} in {path}", keys.join("."))
            }
            FileEdit::Remove => format!("remove {path}"),
        }
    }

    fn subject(&self) -> Subject {
        Subject::File(self.path.clone())
    }

    fn observe(&self, fleet: &dyn ObservingFleet, cancel: &Cancel) -> Result<Image, Failure> {
        let observer = fleet.observer(&self.target)?;
        let state = observer.read_file(&self.path)?;
        if state == FileState::Absent && self.needs_identity() && self.ourselves.get().is_none() {
            // Two observations of one change give the same answer: whichever is kept is right.
            let _ = self.ourselves.set(self.identity(&*observer, cancel)?);
        }
        Ok(Image::File(state))
    }

    fn wanted(&self, before: &Image) -> Result<Image, Failure> {
        let Image::File(state) = before else {
            return Err(Failure::Misuse(format!(
                "{} was not observed as a file",
                self.path
            )));
        };
        let old = match state {
            FileState::Present(image) => Some(image),
            FileState::Absent => None,
        };
        let Some(content) = self.content(old)? else {
            return Ok(Image::File(FileState::Absent));
        };
        let (our_uid, our_gid) = self.ourselves.get().copied().unwrap_or((0, 0));
        Ok(Image::File(FileState::Present(FileImage {
            content,
            mode: self
                .mode
                .unwrap_or_else(|| old.map_or(NEW_FILE_MODE, |image| image.mode)),
            uid: self
                .owner
                .0
                .unwrap_or_else(|| old.map_or(our_uid, |image| image.uid)),
            gid: self
                .owner
                .1
                .unwrap_or_else(|| old.map_or(our_gid, |image| image.gid)),
            selinux: old.and_then(|image| image.selinux.clone()),
        })))
    }

    fn apply(
        &self,
        fleet: &dyn ActingFleet,
        before: &Image,
        after: &Image,
        _: &Cancel,
    ) -> Result<(), Failure> {
        super::apply_image(fleet, &self.target, &self.subject(), before, after)
    }

    fn reached(&self, after: &Image, now: &Image) -> bool {
        after.is_met_by(now)
    }

    fn affects(&self) -> super::Affects {
        super::Affects::Files(Vec::new())
    }
}

#[cfg(test)]
mod tests;
