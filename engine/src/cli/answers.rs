//! Who answers questions: flags first, then the person at the terminal, else nobody.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::args::Talk;
use super::console::Console;
use crate::executor::{AfterFailure, Asker};
use crate::model::ScopePath;
use crate::operation::{Answer, Failure, Question, QuestionKind, Report, Undecided};

/// Answers by flag and terminal.
pub struct Answers {
    yes: bool,
    given: BTreeMap<String, String>,
    interactive: bool,
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
            stopping: Mutex::new(false),
        }
    }

    /// Only yes or the terminal.
    pub fn approvals(yes: bool, console: &Console) -> Self {
        Self {
            yes,
            given: BTreeMap::new(),
            interactive: console.interactive(),
            stopping: Mutex::new(false),
        }
    }

    fn stopping(&self) -> MutexGuard<'_, bool> {
        self.stopping.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn at_terminal(&self, question: &Question) -> Result<Answer, Failure> {
        let by = who();
        let prompted = match &question.kind {
            QuestionKind::Confirm | QuestionKind::Manual | QuestionKind::Deviation => {
                let yes = inquire::Confirm::new(&question.text)
                    .with_default(false)
                    .prompt();
                return match yes {
                    Ok(true) => Ok(Answer {
                        value: "yes".into(),
                        by,
                    }),
                    Ok(false) => Err(declined(question)),
                    Err(error) => Err(unprompted(question, &error)),
                };
            }
            QuestionKind::Choose(choices) => {
                inquire::Select::new(&question.text, choices.clone()).prompt()
            }
            QuestionKind::Input { default } => {
                let prompt = inquire::Text::new(&question.text);
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
    let report =
        Report::new(format!("{value:?} is no answer to: {}", question.text)).hint(format!(
            "give --answer '{}=…' with one of the choices",
            question.name
        ));
    Err(undecided(report))
}

fn declined(question: &Question) -> Failure {
    let report = Report::new(format!("not approved: {}", question.text)).hint("resume asks again");
    undecided(report)
}

fn unprompted(question: &Question, error: &inquire::InquireError) -> Failure {
    match error {
        inquire::InquireError::OperationInterrupted | inquire::InquireError::OperationCanceled => {
            Failure::Interrupted
        }
        other => undecided(Report::new(format!("{}: {other}", question.text))),
    }
}

fn undecided(report: Report) -> Failure {
    Failure::Undecided(Undecided {
        operation: None,
        report,
        resolvable: false,
    })
}

impl Asker for Answers {
    fn ask(&self, question: &Question) -> Result<Answer, Failure> {
        if let Some(answer) = self.by_flag(question) {
            return answer;
        }
        if self.interactive {
            let _alone = self.stopping();
            return self.at_terminal(question);
        }
        let hint = match question.kind {
            QuestionKind::Confirm => "resume at a terminal, or with --yes".to_owned(),
            _ => format!(
                "resume at a terminal, or with --answer '{}=…'",
                question.name
            ),
        };
        Err(undecided(
            Report::new(format!("nobody is there to answer: {}", question.text)).hint(hint),
        ))
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
        let decision = match inquire::Select::new(&question, choices).prompt() {
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

/// The person at this machine, as `user@machine`.
pub fn who() -> String {
    let user = std::env::var("USER")
        .ok()
        .filter(|user| !user.is_empty())
        .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    let system = rustix::system::uname();
    format!("{user}@{}", system.nodename().to_string_lossy())
}
