//! Plan files: a dry run kept, so that it can be reviewed by somebody else and carried out as it was reviewed.
//!
//! The first line names the format, its version and a hash of the rest; the rest is JSON. A plan file may come from
//! anywhere: it is read within bounds, and nothing in it is trusted more than a script is.

mod form;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::answers::who;
use super::args::ShowFormat;
use super::ground::Place;
use super::problem::Problem;
use super::run::Prepared;
use crate::executor::Bound;
use crate::journal::{BlobId, Journal, Parameter, RunHeader};
use crate::model::Secrets;
use crate::report::{Diagnostic, Heading, Look, Plan, markdown};
use crate::script::SourceSet;

use form::{LIMIT, MOST_ENTRIES, put};
pub use form::{Unreadable, is_plan, read, sealed};

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
    /// Whether it was made without looking into nodes by helper pods.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    no_observer_pods: bool,
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
    ///
    /// `observer_pods` says whether nodes were looked into by helper pods: who carries the plan out looks the same way.
    pub fn new(prepared: &Prepared, observer_pods: bool, bound: BoundPlan) -> Self {
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
                no_observer_pods: !observer_pods,
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

    /// Whether nodes were looked into by helper pods.
    pub fn observer_pods(&self) -> bool {
        !self.place.no_observer_pods
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

    /// The file as somebody reads it. Nothing in it can steer a terminal.
    pub fn shown(&self, format: ShowFormat, look: &Look) -> String {
        let (heading, plan) = (self.heading(), &self.bound.plan);
        match format {
            ShowFormat::Json => self.line(),
            ShowFormat::Md => markdown(&heading, plan),
            ShowFormat::Text => format!("{}{}", heading.render(look), plan.render(look)),
        }
    }

    /// The content as one line of JSON, for programs.
    fn line(&self) -> String {
        let json = serde_json::to_string(self);
        let json = json.expect("a plan always has a JSON form: keys are strings");
        crate::report::safe::json(&json) + "\n"
    }

    /// The content as it stands in the file, below the first line.
    fn body(&self) -> String {
        let json = serde_json::to_string_pretty(self);
        json.expect("a plan always has a JSON form: keys are strings") + "\n"
    }

    /// The whole file.
    pub fn text(&self) -> String {
        sealed(&self.body())
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
        let body = self.body();
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
        put(path, &sealed(&body)).map_err(|error| {
            let what = format!("the plan cannot be written to {}: {error}", path.display());
            Problem::failed(Diagnostic::error(what))
        })
    }
}
