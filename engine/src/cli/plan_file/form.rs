//! The bytes of a plan file: a first line with the hash of the rest, read within bounds.

use std::io::{Read as _, Write as _};
use std::path::Path;

use super::PlanFile;
use crate::cli::problem::Problem;
use crate::report::{Diagnostic, safe};

/// What the first line begins with.
const MAGIC: &str = "runbook plan";
/// The version of the format.
const VERSION: u32 = 1;
/// The largest plan file that is written or read: 64 MiB.
pub(super) const LIMIT: u64 = 64 << 20;
/// The most entries that a plan may have.
pub(super) const MOST_ENTRIES: usize = 100_000;
/// How much of the decoder's words is told, in characters: they repeat names that stand in the file.
const LONGEST_REASON: usize = 200;

const MAKE_ONE: &str = "a plan is made by: runbook run FILE --dry-run --out PLAN";
const MAKE_AGAIN: &str = "make the plan again with this engine";

/// Why a file is not read as a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// What is the matter with it, as the rest of a sentence about the file. Bounded; steers no terminal.
    pub what: String,
    /// What to do.
    pub help: &'static str,
}

impl Unreadable {
    fn new(what: impl Into<String>, help: &'static str) -> Self {
        Self {
            what: what.into(),
            help,
        }
    }
}

/// The file with this content: below the line that says what it is, and whether it is whole.
pub fn sealed(body: &str) -> String {
    format!("{}\n{body}", first_line(body))
}

fn first_line(body: &str) -> String {
    let hash = blake3::hash(body.as_bytes()).to_hex();
    format!("{MAGIC} {VERSION} {hash}")
}

/// A temporary file beside it, then renamed: nobody ever reads a half.
pub(super) fn put(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Whether a file says that it is a plan; `false` also where there is none.
pub fn is_plan(path: &Path) -> bool {
    let mut start = [0; MAGIC.len()];
    // A pipe is not opened: that would wait for who writes it.
    path.is_file()
        && std::fs::File::open(path)
            .and_then(|mut file| file.read_exact(&mut start))
            .is_ok()
        && start == *MAGIC.as_bytes()
}

/// Reads a plan file.
///
/// # Errors
/// It cannot be read, is none, is of another version, was cut or changed.
pub fn read(path: &Path) -> Result<PlanFile, Problem> {
    content(path)
        .and_then(|bytes| PlanFile::parse(&bytes))
        .map_err(|unreadable| {
            let what = format!("{}: {}", path.display(), unreadable.what);
            Problem::usage(Diagnostic::error(what).help(unreadable.help))
        })
}

fn content(path: &Path) -> Result<Vec<u8>, Unreadable> {
    let unreadable =
        |error: std::io::Error| Unreadable::new(format!("cannot be read: {error}"), MAKE_ONE);
    // Nothing else could be waited for without end.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Unreadable::new("is not a file", MAKE_ONE));
    }
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(LIMIT + 1024)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    Ok(bytes)
}

impl PlanFile {
    /// Reads what a plan file holds.
    ///
    /// # Errors
    /// It is none, is of another version, was cut or changed, or is larger than a plan may be.
    pub fn parse(bytes: &[u8]) -> Result<Self, Unreadable> {
        if bytes.len() as u64 > LIMIT + 512 {
            let what = format!("is larger than a plan may be ({} MiB)", LIMIT >> 20);
            return Err(Unreadable::new(what, MAKE_ONE));
        }
        let body = checked(bytes)?;
        let file: Self = serde_json::from_str(body).map_err(|error| {
            let reason: String = safe::line(&error.to_string())
                .chars()
                .take(LONGEST_REASON)
                .collect();
            Unreadable::new(format!("does not read as a plan: {reason}"), MAKE_AGAIN)
        })?;
        if file.bound.plan.entries.len() > MOST_ENTRIES {
            let what = format!("has more entries than a plan may have ({MOST_ENTRIES})");
            return Err(Unreadable::new(what, MAKE_ONE));
        }
        if !file.sources.iter().any(|one| one.name == file.main) {
            return Err(Unreadable::new("has no script in it", MAKE_ONE));
        }
        Ok(file)
    }
}

/// The content, if the first line is that of a plan of this version, and of this very content.
fn checked(bytes: &[u8]) -> Result<&str, Unreadable> {
    let not_a_plan = || Unreadable::new("is not a plan of runbook", MAKE_ONE);
    let text = std::str::from_utf8(bytes).map_err(|_| not_a_plan())?;
    let (line, body) = text.split_once('\n').ok_or_else(not_a_plan)?;
    let rest = line.strip_prefix(MAGIC).ok_or_else(not_a_plan)?;
    let version = rest.split_whitespace().next().unwrap_or_default();
    if version != VERSION.to_string() {
        let version: String = version.chars().take(12).collect();
        return Err(Unreadable::new(
            format!("is a plan of version {version:?}; this engine knows version {VERSION}"),
            "make the plan again with this engine, or carry it out with the one that made it",
        ));
    }
    if line != first_line(body) {
        return Err(Unreadable::new(
            "was cut or changed since it was made: its hash is another one",
            "copy it once more, or make the plan again; a plan is not edited by hand",
        ));
    }
    Ok(body)
}
