//! Questions to a person.

use serde::{Deserialize, Serialize};

use crate::model::Value;

/// A question; its answer is journaled, so it is asked once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The words.
    pub text: String,
    /// The name by which `--answer NAME=VALUE` answers it; the text if the script gives none.
    pub name: String,
    /// What answers there are.
    pub kind: QuestionKind,
}

/// What can be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuestionKind {
    /// Yes, or stop.
    Confirm,
    /// One of these.
    Choose(Vec<String>),
    /// Free text.
    Input {
        /// The answer to an empty line.
        default: Option<String>,
    },
    /// Something that a person has to do; the answer says it is done.
    Manual,
    /// An effect that the plan which the run is bound to does not have: yes, or stop. Approvals given beforehand do not
    /// answer it.
    Deviation,
}

impl QuestionKind {
    /// The word that asks it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Choose(_) => "choose",
            Self::Input { .. } => "input",
            Self::Manual => "manual",
            Self::Deviation => "beyond the plan",
        }
    }
}

impl Question {
    /// The flag that answers it beforehand or on resume, as it is written in a shell. Approval is what `--yes` gives.
    pub fn flag(&self) -> String {
        flag(self.kind.word(), &self.name)
    }

    /// The arguments as plain data.
    pub fn arguments(&self) -> Value {
        let choices = match &self.kind {
            QuestionKind::Choose(choices) => Value::from(choices.clone()),
            _ => Value::Null,
        };
        Value::from_entries([
            ("text", Value::from(self.text.clone())),
            ("name", Value::from(self.name.clone())),
            ("choices", choices),
        ])
    }
}

/// The flag that answers the question which `word` asks under this name.
pub fn flag(word: &str, name: &str) -> String {
    if word == QuestionKind::Confirm.word() {
        return "--yes".to_owned();
    }
    let value = match word {
        "manual" => "done",
        "beyond the plan" => "yes",
        _ => "VALUE",
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let answer = format!("{name}={value}");
    if name.chars().all(plain) {
        return format!("--answer {answer}");
    }
    // A NUL cannot come through a command line at all.
    let quoted = shlex::try_quote(&answer).map_or_else(|_| answer.clone(), |quoted| quoted.into());
    format!("--answer {quoted}")
}

/// An answer with who gave it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The answer.
    pub value: String,
    /// How it came: `--yes`, `--answer`, or the person at the terminal.
    pub by: String,
}
