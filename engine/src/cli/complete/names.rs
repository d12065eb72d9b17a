//! The names that only the moment knows. Nothing here may fail loudly or change anything: whoever presses the key
//! wants names or nothing.

use std::path::Path;

use super::{Candidate, Typed};
use crate::inventory::Inventory;
use crate::journal::{Journal, StateDirectory};
use crate::lab::catalog;
use crate::report::RunSummary;
use crate::script::codes::CODES;
use crate::script::{Header, Names as ScriptNames, ParameterType, SourceSet, check, steps};

/// The newest runs that are shown; reading a journal for its title takes time.
const RUNS: usize = 20;

/// Names for a command line.
pub struct Names<'a> {
    /// The command.
    pub command: &'a str,
    /// What was typed before.
    pub typed: &'a Typed,
}

impl Names<'_> {
    /// The candidates for an argument of the command line, and whether files could stand there too.
    pub fn of(&self, id: &str, current: &str) -> (Vec<Candidate>, bool) {
        match (self.command, id) {
            (_, "runbook" | "files") => (shipped(), true),
            (_, "run") => (self.runs(), false),
            (_, "operation") => (Vec::new(), false),
            (_, "lab") => (labs(), true),
            ("show" | "reset", "name") => (labs(), false),
            (_, "limit") => (self.hosts(current), false),
            (_, "vars") => (self.parameters(current), false),
            (_, "to" | "start_at") => (self.steps(), false),
            (_, "explain") => (codes(), false),
            (
                _,
                "inventory" | "var_file" | "kubeconfig" | "out" | "state_dir" | "edited" | "plan",
            ) => (Vec::new(), true),
            _ => (Vec::new(), false),
        }
    }

    fn state(&self) -> Option<StateDirectory> {
        let given = self.typed.option("state_dir").map(Into::into);
        let root = given
            .or_else(|| std::env::var_os("RUNBOOK_STATE_DIR").map(Into::into))
            .or_else(|| StateDirectory::default_root().ok())?;
        // Opening would make it.
        root.is_dir().then(|| StateDirectory::open(root).ok())?
    }

    fn runs(&self) -> Vec<Candidate> {
        let Some(state) = self.state() else {
            return Vec::new();
        };
        let runs = state.runs();
        let newest = runs.iter().rev().take(RUNS);
        newest
            .map(|run| {
                let records = Journal::read(&state.run(run)).unwrap_or_default();
                let title =
                    RunSummary::of(&records, false).map(|summary| summary.header.title.clone());
                Candidate::new(run.to_string(), title.unwrap_or_default())
            })
            .collect()
    }

    fn sources(&self) -> Option<SourceSet> {
        match self.command {
            "run" | "doc" | "doctor" => SourceSet::load(self.typed.positions.first()?).ok(),
            _ => None,
        }
    }

    fn header(&self) -> Option<Header> {
        check(&self.sources()?, &ScriptNames::default()).0
    }

    /// `name=`, and behind it the choices.
    fn parameters(&self, current: &str) -> Vec<Candidate> {
        let Some(header) = self.header() else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for parameter in &header.parameters {
            let name = &parameter.name;
            if !current.starts_with(&format!("{name}=")) {
                found.push(Candidate::new(format!("{name}="), parameter.help.clone()));
                continue;
            }
            let choices: Vec<String> = match &parameter.kind {
                ParameterType::Choice(choices) => choices.clone(),
                ParameterType::Bool => vec!["true".into(), "false".into()],
                _ => parameter.default.iter().map(ToString::to_string).collect(),
            };
            found.extend(
                choices
                    .iter()
                    .map(|choice| Candidate::new(format!("{name}={choice}"), "")),
            );
        }
        found
    }

    /// Hosts and groups; of a list `a,b` the last is completed.
    fn hosts(&self, current: &str) -> Vec<Candidate> {
        let inventory = match self.typed.option("lab") {
            Some(lab) => catalog::find(lab)
                .ok()
                .map(|lab| Inventory::of_lab(lab.definition.hosts.keys().map(String::as_str))),
            None => {
                let given = self.typed.option("inventory").map(str::to_owned);
                let path = given.or_else(|| std::env::var("RUNBOOK_INVENTORY").ok());
                path.and_then(|path| Inventory::load(Path::new(&path)).ok())
            }
        };
        let Some(inventory) = inventory else {
            return Vec::new();
        };
        let before = current
            .rfind([',', ':', '!', '&'])
            .map_or("", |at| &current[..=at]);
        let hosts = inventory.hosts().map(|host| (host.to_string(), "host"));
        let groups = inventory
            .group_names()
            .into_iter()
            .map(|name| (name, "group"));
        hosts
            .chain(groups)
            .map(|(name, kind)| Candidate::new(format!("{before}{name}"), kind))
            .collect()
    }

    fn steps(&self) -> Vec<Candidate> {
        let sources = self.sources().or_else(|| {
            let state = self.state()?;
            let run = state.find(self.typed.positions.first()?).ok()?;
            let directory = state.run(&run);
            let records = Journal::read(&directory).ok()?;
            let header = RunSummary::of(&records, false)?.header;
            let main = header.sources.first()?;
            let text = String::from_utf8(Journal::read_blob(&directory, &main.blob).ok()?).ok()?;
            let texts = [(main.name.clone(), text)].into();
            Some(SourceSet::pinned(main.name.clone(), texts))
        });
        let titles = sources.map(|sources| steps(&sources)).unwrap_or_default();
        titles
            .into_iter()
            .map(|(_, title)| Candidate::new(title, ""))
            .collect()
    }
}

fn shipped() -> Vec<Candidate> {
    SourceSet::shipped_names()
        .map(|name| Candidate::new(name.strip_suffix(".rhai").unwrap_or(name), "shipped"))
        .collect()
}

fn labs() -> Vec<Candidate> {
    catalog::names()
        .into_iter()
        .map(|name| {
            let title = catalog::find(name).map(|lab| lab.definition.title);
            Candidate::new(name, title.unwrap_or_default())
        })
        .collect()
}

fn codes() -> Vec<Candidate> {
    CODES
        .iter()
        .map(|code| Candidate::new(code.code, code.name))
        .collect()
}
