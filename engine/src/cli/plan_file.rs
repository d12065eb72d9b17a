//! Plan files: a dry run kept, so that it can be reviewed by somebody else and carried out as it was reviewed.
//!
//! The first line names the format, its version and a hash of the rest; the rest is JSON. A plan file may come from
//! anywhere: it is read within bounds, and nothing in it is trusted more than a script is.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::answers::who;
use super::ground::Place;
use super::problem::Problem;
use super::run::Prepared;
use crate::executor::Bound;
use crate::journal::{BlobId, Journal, Parameter, RunHeader};
use crate::model::Secrets;
use crate::report::{Diagnostic, Heading, Plan};
use crate::script::SourceSet;

/// What the first line begins with.
const MAGIC: &str = "runbook plan";
/// The version of the format.
const VERSION: u32 = 1;
/// The largest plan file that is written or read: 64 MiB.
const LIMIT: u64 = 64 << 20;
/// The most entries that a plan may have.
const MOST_ENTRIES: usize = 100_000;

/// A text with its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
    text: String,
}

/// Where the plan was made, and where alone it may be carried out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlannedPlace {
    lab: Option<String>,
    inventory: Option<Named>,
    limit: Option<String>,
    context: Option<String>,
    kubeconfig: Option<PathBuf>,
    parallel: usize,
}

/// The plan as a run is held to it; what the journal of such a run keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoundPlan {
    /// Key of the hashes in it.
    pub seed: String,
    /// What it does.
    pub plan: Plan,
}

impl BoundPlan {
    /// Keeps it in a run's journal.
    pub fn store(&self, journal: &Journal) -> BlobId {
        let json = serde_json::to_vec(self);
        journal.store_blob(&json.expect("a plan always has a JSON form: keys are strings"))
    }

    /// The plan that a recorded run is held to.
    pub fn of(journal: &Journal, header: &RunHeader) -> Result<Option<Self>, Problem> {
        let Some(blob) = &header.plan else {
            return Ok(None);
        };
        let bytes = journal.blob(blob)?;
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            let what = format!("the plan in the journal cannot be read: {error}");
            Problem::failed(Diagnostic::error(what))
        })
    }

    /// For the executor.
    pub fn bound(&self, secrets: &Arc<Secrets>) -> Bound {
        Bound::new(&self.plan, &self.seed, secrets.clone())
    }
}

/// Everything that a plan file says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFile {
    engine: String,
    made: Timestamp,
    by: String,
    title: String,
    on: String,
    place: PlannedPlace,
    /// The script's name; its text is among the sources.
    main: String,
    sources: Vec<Named>,
    /// The parameters, as they were given.
    pub parameters: BTreeMap<String, Parameter>,
    /// The plan.
    pub bound: BoundPlan,
}

impl PlanFile {
    /// The file of a plan that was just made.
    pub fn new(prepared: &Prepared, bound: BoundPlan) -> Self {
        let place = prepared.ground.place();
        let inventory = place.inventory.as_ref().zip(prepared.ground.text.as_ref());
        let named = |(name, text): (&str, &str)| Named {
            name: name.to_owned(),
            text: text.to_owned(),
        };
        Self {
            engine: env!("CARGO_PKG_VERSION").to_owned(),
            made: Timestamp::now(),
            by: who(),
            title: prepared.header.title.clone(),
            on: prepared.ground.title(),
            place: PlannedPlace {
                lab: place.lab.clone(),
                inventory: inventory.map(|((path, _), text)| Named {
                    name: path.display().to_string(),
                    text: text.clone(),
                }),
                limit: place.limit.clone(),
                context: place.context.clone(),
                kubeconfig: place.kubeconfig.clone(),
                parallel: place.parallel,
            },
            main: prepared.sources.main.clone(),
            sources: prepared.sources.iter().map(named).collect(),
            parameters: prepared.parameters.clone(),
            bound,
        }
    }

    /// What stands above the plan where it is shown.
    pub fn heading(&self) -> Heading {
        let told = |(name, parameter): (&String, &Parameter)| {
            let value = parameter.value.to_string();
            (name.clone(), value, parameter.origin.clone())
        };
        Heading {
            title: self.title.clone(),
            runbook: self.main.clone(),
            on: self.on.clone(),
            made: self.made,
            by: self.by.clone(),
            parameters: self.parameters.iter().map(told).collect(),
        }
    }

    /// The pinned texts.
    pub fn sources(&self) -> SourceSet {
        let texts = self.sources.iter();
        SourceSet::pinned(
            self.main.clone(),
            texts
                .map(|one| (one.name.clone(), one.text.clone()))
                .collect(),
        )
    }

    /// Where it is carried out.
    pub fn place(&self) -> Place {
        let inventory = self.place.inventory.as_ref();
        Place {
            lab: self.place.lab.clone(),
            inventory: inventory.map(|one| (PathBuf::from(&one.name), Some(one.text.clone()))),
            limit: self.place.limit.clone(),
            context: self.place.context.clone(),
            kubeconfig: self.place.kubeconfig.clone(),
            parallel: self.place.parallel,
        }
    }

    /// Whether a text that must stay as it is holds the value of a secret.
    fn holds(&self, secrets: &Secrets) -> bool {
        // What only looks like a mark is written in another way, whether or not there is a secret.
        let none = Secrets::new();
        let held = |text: &str| secrets.redact(text) != none.redact(text);
        let parameters = self.parameters.values();
        self.sources.iter().any(|one| held(&one.text))
            || self.place.inventory.iter().any(|one| held(&one.text))
            || parameters
                .map(|one| one.value.canonical())
                .any(|json| held(&json))
    }

    /// The content as one line of JSON, for programs.
    pub fn line(&self) -> String {
        let json = serde_json::to_string(self);
        let json = json.expect("a plan always has a JSON form: keys are strings");
        crate::report::safe::json(&json) + "\n"
    }

    /// Writes the file, readable by its owner only: whole or not at all.
    pub fn write(&self, path: &Path, secrets: &Secrets) -> Result<(), Problem> {
        // The entries are redacted already. In a pinned text a mark would make another script of it.
        if self.holds(secrets) {
            return Err(Problem::failed(
                Diagnostic::error(
                    "no plan was written: the script, the inventory or a parameter holds the value of a secret",
                )
                .help("give the value as `secret(\"NAME\")` only, then make the plan again"),
            ));
        }
        let body = serde_json::to_string_pretty(self);
        let body = body.expect("a plan always has a JSON form: keys are strings") + "\n";
        if body.len() as u64 > LIMIT || self.bound.plan.entries.len() > MOST_ENTRIES {
            return Err(Problem::failed(
                Diagnostic::error(format!(
                    "no plan was written: it has {} entries and {} MiB, more than a plan file may have",
                    self.bound.plan.entries.len(),
                    body.len() >> 20
                ))
                .help("plan a part of the hosts at a time: -l PATTERN"),
            ));
        }
        let written = put(path, &format!("{}\n{body}", first_line(&body)));
        written.map_err(|error| {
            let what = format!("the plan cannot be written to {}: {error}", path.display());
            Problem::failed(Diagnostic::error(what))
        })
    }
}

/// A temporary file beside it, then renamed: nobody ever reads a half.
fn put(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

fn first_line(body: &str) -> String {
    let hash = blake3::hash(body.as_bytes()).to_hex();
    format!("{MAGIC} {VERSION} {hash}")
}

/// Whether a file says that it is a plan; `false` also where there is none.
pub fn is_plan(path: &Path) -> bool {
    let mut start = [0; MAGIC.len()];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == *MAGIC.as_bytes()
}

/// Reads a plan file.
///
/// # Errors
/// It cannot be read, is none, is of another version, was cut or changed.
pub fn read(path: &Path) -> Result<PlanFile, Problem> {
    decode(path).map_err(|(what, help)| {
        Problem::usage(Diagnostic::error(format!("{}: {what}", path.display())).help(help))
    })
}

const MAKE_ONE: &str = "a plan is made by: runbook run FILE --dry-run --out PLAN";

fn decode(path: &Path) -> Result<PlanFile, (String, &'static str)> {
    let unreadable = |error: std::io::Error| (format!("cannot be read: {error}"), MAKE_ONE);
    let file = std::fs::File::open(path).map_err(unreadable)?;
    // Nothing else could be waited for without end.
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(("is not a file".to_owned(), MAKE_ONE));
    }
    let mut bytes = Vec::new();
    file.take(LIMIT + 1024)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Result<PlanFile, (String, &'static str)> {
    if bytes.len() as u64 > LIMIT + 512 {
        let what = format!("is larger than a plan may be ({} MiB)", LIMIT >> 20);
        return Err((what, MAKE_ONE));
    }
    let not_a_plan = || ("is not a plan of runbook".to_owned(), MAKE_ONE);
    let text = std::str::from_utf8(bytes).map_err(|_| not_a_plan())?;
    let (line, body) = text.split_once('\n').ok_or_else(not_a_plan)?;
    let rest = line.strip_prefix(MAGIC).ok_or_else(not_a_plan)?;
    let version = rest.split_whitespace().next().unwrap_or_default();
    if version != VERSION.to_string() {
        let version: String = version.chars().take(12).collect();
        return Err((
            format!("is a plan of version {version:?}; this engine knows version {VERSION}"),
            "make the plan again with this engine, or carry it out with the one that made it",
        ));
    }
    if line != first_line(body) {
        return Err((
            "was cut or changed since it was made: its hash is another one".to_owned(),
            "copy it once more, or make the plan again; a plan is not edited by hand",
        ));
    }
    let file: PlanFile = serde_json::from_str(body).map_err(|error| {
        let what = format!("does not read as a plan: {error}");
        (what, "make the plan again with this engine")
    })?;
    if file.bound.plan.entries.len() > MOST_ENTRIES {
        let what = format!("has more entries than a plan may have ({MOST_ENTRIES})");
        return Err((what, MAKE_ONE));
    }
    if !file.sources.iter().any(|one| one.name == file.main) {
        return Err(("has no script in it".to_owned(), MAKE_ONE));
    }
    Ok(file)
}
