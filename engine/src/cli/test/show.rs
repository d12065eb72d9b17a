//! How results are shown: for people as they come, or as JSON lines.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::Outcome;
use super::file::TestFile;
use crate::cli::args::Output;
use crate::cli::console::Console;
use crate::report::{Diagnostic, SCHEMA, Tone, counted};

/// Shows results on stdout.
pub struct Show<'a> {
    console: &'a Console,
    output: Output,
    files: usize,
    shown: AtomicUsize,
    /// The file whose title was shown last, as an address: files stay where they are.
    title: AtomicUsize,
}

impl<'a> Show<'a> {
    /// Nothing is shown yet.
    pub fn new(console: &'a Console, output: Output, files: usize) -> Self {
        Self {
            console,
            output,
            files,
            shown: AtomicUsize::new(0),
            title: AtomicUsize::new(0),
        }
    }

    /// One test has ended.
    pub fn outcome(&self, outcome: &Outcome, file: &TestFile) {
        match self.output {
            Output::Json => self.line(&event(outcome)),
            Output::Text => self.text(outcome, file),
        }
    }

    fn text(&self, outcome: &Outcome, file: &TestFile) {
        let look = &self.console.out;
        let mut text = String::new();
        let address = std::ptr::from_ref(file) as usize;
        if self.title.swap(address, Ordering::SeqCst) != address {
            if self.shown.load(Ordering::SeqCst) > 0 {
                text.push('\n');
            }
            text.push_str(&look.paint(Tone::Strong, &look.line(&file.name)));
            text.push('\n');
        }
        self.shown.fetch_add(1, Ordering::SeqCst);
        let word = match outcome.failure {
            None => look.paint(Tone::Good, "ok  "),
            Some(_) => look.paint(Tone::Bad, "FAIL"),
        };
        let more = format!(" ({}{})", seconds(outcome.took), kills(outcome));
        text.push_str(&format!(
            "  {word}  {}{}\n",
            look.line(&outcome.name),
            look.paint(Tone::Dim, &more)
        ));
        if let Some(failure) = &outcome.failure {
            let mut diagnostic = Diagnostic::error(failure.message.clone());
            if let Some(position) = &failure.position {
                diagnostic = diagnostic.at(position.clone(), Some(file.text.clone()), 1);
            }
            for line in diagnostic.render(look).lines() {
                text.push_str(&format!("    {line}\n"));
            }
            if let Some(detail) = &failure.detail {
                for line in look.lines(detail) {
                    text.push_str(&format!("      {line}\n"));
                }
            }
        }
        self.console.print(&text);
    }

    /// All tests have ended.
    pub fn ended(&self, outcomes: &[Outcome], took: Duration) {
        let failed = outcomes.iter().filter(|one| one.failure.is_some()).count();
        let passed = outcomes.len() - failed;
        let kills: usize = outcomes
            .iter()
            .filter_map(|one| one.kills.as_ref())
            .map(|kills| kills.kills)
            .sum();
        if self.output == Output::Json {
            self.line(&json!({
                "event": "tests_ended", "passed": passed, "failed": failed, "kills": kills,
                "elapsed_ms": took.as_millis() as u64,
            }));
            return;
        }
        let look = &self.console.out;
        let tone = if failed == 0 { Tone::Good } else { Tone::Bad };
        let kills = match kills {
            0 => String::new(),
            kills => format!(", {} killed and resumed", counted(kills, "run", "runs")),
        };
        let text = format!(
            "{passed} passed, {failed} failed{kills} ({}, {})",
            counted(self.files, "file", "files"),
            seconds(took)
        );
        self.console
            .print(&format!("\n{}\n", look.paint(tone, &text)));
    }

    fn line(&self, event: &Json) {
        let mut event = event.clone();
        event["schema"] = SCHEMA.into();
        let text = crate::report::safe::json(&event.to_string());
        self.console.print(&format!("{text}\n"));
    }
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

fn kills(outcome: &Outcome) -> String {
    let Some(kills) = &outcome.kills else {
        return String::new();
    };
    let left_out = match kills.left_out {
        0 => String::new(),
        number => format!(
            ", {} with faults not killed",
            counted(number, "run", "runs")
        ),
    };
    format!(", {}{left_out}", counted(kills.kills, "kill", "kills"))
}

fn event(outcome: &Outcome) -> Json {
    let failure = outcome.failure.as_ref().map(|failure| {
        json!({"message": failure.message, "detail": failure.detail, "position": failure.position})
    });
    json!({
        "event": "test_ended",
        "file": outcome.file,
        "name": outcome.name,
        "line": outcome.line,
        "outcome": if outcome.failure.is_none() { "passed" } else { "failed" },
        "failure": failure,
        "kills": outcome.kills,
        "elapsed_ms": outcome.took.as_millis() as u64,
    })
}
