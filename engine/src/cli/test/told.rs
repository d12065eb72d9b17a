//! What a run told of itself: its events, as a test can ask for them.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Output;

use serde_json::{Value as Json, json};

/// Exit status that stands for "killed by signal 9".
pub const KILLED: i32 = -9;

/// Everything that one call of the engine told.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Exit status; [`KILLED`] after a kill.
    pub exit: i32,
    /// `done`, `finished`, `failed`, `undecided`, …; empty where there was no run.
    pub ending: String,
    /// How it ended, in words.
    pub message: String,
    /// The run's name; none in a dry run.
    pub run: Option<String>,
    /// Operations that ended, in a form that is easy to ask.
    pub operations: Vec<Json>,
    /// Places where a plan ends early.
    pub ends: Vec<String>,
    /// Notes.
    pub notes: Vec<String>,
    /// Rows by title.
    pub tables: Vec<(String, Json)>,
    /// Titles of steps in the order in which they were left.
    pub steps: Vec<String>,
    /// What a person would have read on stderr.
    pub text: String,
}

impl Told {
    /// Reads a process's events.
    pub fn read(output: &Output) -> Self {
        let mut told = Self {
            exit: output
                .status
                .code()
                .unwrap_or_else(|| -output.status.signal().unwrap_or(1)),
            text: String::from_utf8_lossy(&output.stderr).into_owned(),
            ..Self::default()
        };
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            // The last line of a killed engine may be half.
            if let Ok(event) = serde_json::from_str::<Json>(line) {
                told.take(&event);
            }
        }
        told
    }

    fn take(&mut self, event: &Json) {
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        match event["event"].as_str().unwrap_or_default() {
            "run_started" => self.run = event["run"].as_str().map(str::to_owned),
            "operation_ended" => self.operations.push(operation(event)),
            "note" => self.notes.push(text(&event["text"])),
            "table" => self
                .tables
                .push((text(&event["title"]), event["rows"].clone())),
            "plan_note" => self.ends.push(text(&event["because"])),
            "step_ended" => self
                .steps
                .push(steps(&event["path"]).pop().unwrap_or_default()),
            "run_ended" => {
                self.ending = text(&event["ending"]);
                self.message = text(&event["message"]);
            }
            _ => {}
        }
    }

    /// Operations with one of these outcomes.
    pub fn with_outcome<'a>(&'a self, outcomes: &'a [&'a str]) -> impl Iterator<Item = &'a Json> {
        let fits = |operation: &&Json| {
            operation["outcome"]
                .as_str()
                .is_some_and(|outcome| outcomes.contains(&outcome))
        };
        self.operations.iter().filter(fits)
    }

    /// Operations of one class.
    pub fn of_class<'a>(&'a self, class: &'a str) -> impl Iterator<Item = &'a Json> {
        let fits = move |operation: &&Json| operation["class"] == class;
        self.operations.iter().filter(fits)
    }
}

fn operation(event: &Json) -> Json {
    let mut branches = Vec::new();
    for part in event["scope"].as_array().into_iter().flatten() {
        if let Some(label) = part["branch"]["label"].as_str() {
            branches.push(label.to_owned());
        }
    }
    json!({
        "step": steps(&event["scope"]).join(" / "),
        "branch": branches.join(" / "),
        "target": target(&event["target"]),
        "class": event["class"],
        "kind": event["kind"],
        "summary": event["summary"],
        "outcome": event["outcome"],
        "diff": event["diff"].as_str().unwrap_or_default(),
        "value": event["value"],
        "why": event["why"].as_str().unwrap_or_default(),
        "error": event["report"]["message"].as_str().unwrap_or_default(),
        "file": event["source"]["file"],
        "line": event["source"]["line"],
    })
}

fn steps(scope: &Json) -> Vec<String> {
    let parts = scope.as_array().into_iter().flatten();
    parts
        .filter_map(|part| part["step"]["title"].as_str().map(str::to_owned))
        .collect()
}

fn target(target: &Json) -> String {
    if let Some(host) = target["host"].as_str() {
        return host.to_owned();
    }
    match target.as_str() {
        Some(word) => word.to_owned(),
        None => {
            let pod = &target["pod"];
            let part = |name: &str| pod[name].as_str().unwrap_or_default().to_owned();
            format!("{}/{}", part("namespace"), part("name"))
        }
    }
}
