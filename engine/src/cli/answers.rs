//! Who answers questions: flags first, then the person at the terminal, else nobody.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::args::Talk;
use super::console::Console;
use super::problem::Problem;
use crate::executor::{AfterFailure, Ahead, Asker, NextEffect};
use crate::model::ScopePath;
use crate::operation::{Answer, Failure, Question, QuestionKind, Report, Undecided, Way};
use crate::report::{Diagnostic, Look, Tone};

/// Answers by flag and terminal.
pub struct Answers {
    yes: bool,
    given: BTreeMap<String, String>,
    interactive: bool,
    look: Look,
    /// Whether each effect is asked about before it happens.
    walking: AtomicBool,
    /// Held while a person is asked: one question at a time. True once she has decided to stop, so that the steps
    /// around the failed one, and the other branches, do not ask again.
    stopping: Mutex<bool>,
}

impl Answers {
    /// The answers of a command line.
    pub fn new(talk: &Talk, console: &Console) -> Self {
        let given = talk
            .answers
            .iter()
            .map(|answer| (answer.name.clone(), answer.value.clone()))
            .collect();
        Self {
            yes: talk.yes,
            given,
            interactive: console.interactive(),
            look: console.err,
            walking: AtomicBool::new(talk.step),
            stopping: Mutex::new(false),
        }
    }

    /// Only yes or the terminal.
    pub fn approvals(yes: bool, console: &Console) -> Self {
        Self {
            yes,
            given: BTreeMap::new(),
            interactive: console.interactive(),
            look: console.err,
            walking: AtomicBool::new(false),
            stopping: Mutex::new(false),
        }
    }

    fn stopping(&self) -> MutexGuard<'_, bool> {
        self.stopping.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A choice, explained in characters that the terminal can show.
    fn select<'a, T: std::fmt::Display>(
        &self,
        text: &'a str,
        choices: Vec<T>,
    ) -> inquire::Select<'a, T> {
        let help = match self.look.unicode {
            true => "↑↓ to move, enter to select, type to filter",
            false => "arrow keys to move, enter to select, type to filter",
        };
        inquire::Select::new(text, choices).with_help_message(help)
    }

    fn by_flag(&self, question: &Question) -> Option<Result<Answer, Failure>> {
        if let Some(value) = self.given.get(&question.name) {
            return Some(checked(question, value, "--answer"));
        }
        let approval = matches!(question.kind, QuestionKind::Confirm);
        (self.yes && approval).then(|| {
            Ok(Answer {
                value: "yes".into(),
                by: "--yes".into(),
            })
        })
    }

    fn at_terminal(&self, question: &Question, ahead: Ahead<'_>) -> Result<Answer, Failure> {
        // Targets are looked at, which may take a while: the person must not wonder.
        let mark = self.look.mark("…", "...");
        eprint!("looking at what the answer would let happen {mark}");
        let foreseen = foreseen(question, ahead, &self.look);
        eprint!("\r\x1b[2K");
        for line in foreseen {
            eprintln!("{line}");
        }
        let by = who();
        let text = self.look.line(&question.text);
        let prompted = match &question.kind {
            QuestionKind::Confirm | QuestionKind::Manual | QuestionKind::Deviation => {
                let yes = inquire::Confirm::new(&text).with_default(false).prompt();
                return match yes {
                    Ok(true) => Ok(Answer {
                        value: "yes".into(),
                        by,
                    }),
                    Ok(false) => Err(declined(question)),
                    Err(error) => Err(unprompted(question, &error)),
                };
            }
            QuestionKind::Choose(choices) => self.select(&text, choices.clone()).prompt(),
            QuestionKind::Input { default } => {
                let prompt = inquire::Text::new(&text);
                match default {
                    Some(default) => prompt.with_default(default).prompt(),
                    None => prompt.prompt(),
                }
            }
        };
        prompted
            .map(|value| Answer { value, by })
            .map_err(|error| unprompted(question, &error))
    }
}

/// What the answer lets happen, for questions that let something happen.
fn foreseen(question: &Question, ahead: Ahead<'_>, look: &Look) -> Vec<String> {
    match question.kind {
        QuestionKind::Confirm | QuestionKind::Manual => ahead()
            .map(|foreseen| foreseen.lines(look))
            .unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn checked(question: &Question, value: &str, by: &str) -> Result<Answer, Failure> {
    let yes = matches!(
        value.to_ascii_lowercase().as_str(),
        "yes" | "y" | "true" | "done"
    );
    let fits = match &question.kind {
        QuestionKind::Choose(choices) => choices.iter().any(|choice| choice == value),
        QuestionKind::Confirm | QuestionKind::Manual | QuestionKind::Deviation if !yes => {
            return Err(declined(question));
        }
        _ => true,
    };
    if fits {
        return Ok(Answer {
            value: value.to_owned(),
            by: by.to_owned(),
        });
    }
    let report = Report::new(format!("{value:?} is no answer to: {}", question.text));
    let report = match &question.kind {
        QuestionKind::Choose(choices) => report.detail(format!("choices: {}", choices.join(", "))),
        _ => report,
    };
    Err(undecided(report, Some(question.flag())))
}

fn declined(question: &Question) -> Failure {
    let report = Report::new(format!("not approved: {}", question.text));
    undecided(report, None)
}

fn unprompted(question: &Question, error: &inquire::InquireError) -> Failure {
    match error {
        inquire::InquireError::OperationInterrupted | inquire::InquireError::OperationCanceled => {
            Failure::Interrupted
        }
        other => {
            let report = Report::new(format!("{}: {other}", question.text));
            undecided(report, Some(question.flag()))
        }
    }
}

/// A question that waits, with the flag that answers it.
fn undecided(report: Report, flag: Option<String>) -> Failure {
    Failure::Undecided(Undecided {
        operation: None,
        report: Box::new(report),
        way: Way::Answer(flag),
    })
}

impl Asker for Answers {
    fn ask(&self, question: &Question, ahead: Ahead<'_>) -> Result<Answer, Failure> {
        if let Some(answer) = self.by_flag(question) {
            return answer;
        }
        if self.interactive {
            let _alone = self.stopping();
            return self.at_terminal(question, ahead);
        }
        let report = Report::new(format!("nobody is there to answer: {}", question.text));
        let plain = Look {
            color: false,
            ..self.look
        };
        let foreseen = foreseen(question, ahead, &plain);
        let report = match foreseen.is_empty() {
            true => report,
            false => report.detail(foreseen.join("\n")),
        };
        Err(undecided(report, Some(question.flag())))
    }

    fn walks(&self) -> bool {
        self.walking.load(Ordering::SeqCst)
    }

    fn walk(&self, next: &NextEffect) -> Result<(), Failure> {
        let _alone = self.stopping();
        // Somebody may have answered for all while this one waited.
        if !self.walks() {
            return Ok(());
        }
        let look = &self.look;
        let what = look.line(&next.summary);
        let target = look.paint(Tone::Cool, &look.line(&next.target));
        eprintln!("{} {target}: {what}", look.paint(Tone::Strong, "next"));
        for line in next.diff.iter().flat_map(|diff| look.diff(4, diff)) {
            eprintln!("{line}");
        }
        let stopped = || {
            let report = Report::new(format!("stopped before {}: {}", next.target, next.summary));
            undecided(report, None)
        };
        match self.select("Do it?", WALK.to_vec()).prompt() {
            Ok(choice) if choice == WALK[0] => Ok(()),
            Ok(choice) if choice == WALK[1] => {
                self.walking.store(false, Ordering::SeqCst);
                Ok(())
            }
            _ => Err(stopped()),
        }
    }

    fn given(&self, question: &Question) -> Option<Result<Answer, Failure>> {
        self.by_flag(question)
    }

    fn after_failure(&self, path: &ScopePath, failure: &Failure) -> AfterFailure {
        if !self.interactive {
            return AfterFailure::Stop;
        }
        let mut stopping = self.stopping();
        if *stopping {
            return AfterFailure::Stop;
        }
        let title = path.steps().last().copied().unwrap_or_default().to_owned();
        let question = format!("Step \"{title}\" failed: {failure}. What now?");
        let choices = vec![
            "stop (the run can be resumed)",
            "retry the step",
            "skip the step",
        ];
        let decision = match self.select(&self.look.line(&question), choices).prompt() {
            Ok(choice) if choice.starts_with("retry") => AfterFailure::Retry,
            Ok(choice) if choice.starts_with("skip") => AfterFailure::Skip,
            _ => AfterFailure::Stop,
        };
        *stopping = decision == AfterFailure::Stop;
        decision
    }

    fn who(&self) -> String {
        who()
    }
}

/// What can be answered before an effect, to somebody who walks through a run. Not to skip it: what follows builds on it.
const WALK: [&str; 3] = [
    "do it",
    "do it, and go on without asking",
    "stop here (the run can be resumed)",
];

/// Whether a run can be walked through: refused where nobody can be asked.
pub fn can_walk(talk: &Talk, console: &Console) -> Result<(), Problem> {
    if !talk.step || console.interactive() {
        return Ok(());
    }
    let what = "--step asks before each effect, and there is no terminal to ask at";
    Err(Problem::usage(Diagnostic::error(what).help(
        "run it at a terminal; or without --step, after a look at its --dry-run",
    )))
}

/// The person at this machine, as `user@machine`.
pub fn who() -> String {
    let user = std::env::var("USER")
        .ok()
        .filter(|user| !user.is_empty())
        .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    let system = rustix::system::uname();
    format!("{user}@{}", system.nodename().to_string_lossy())
}
