//! What must be true of the hosts, given the book and the journal.

use std::collections::BTreeMap;

use runbook::journal::{Entry, EntryState, History, Intent, OutcomeResult, Stored};
use runbook::model::Target;

use super::book::{Book, EFFECTS, Operation, Word};

/// What was recorded stays as it was: the records of an earlier look are the beginning of those of a later one.
pub fn continues(earlier: &[Stored], later: &[Stored]) -> Result<(), String> {
    if later.len() < earlier.len() {
        return Err(format!(
            "of {} records {} are left",
            earlier.len(),
            later.len()
        ));
    }
    match earlier.iter().zip(later).find(|(a, b)| a != b) {
        Some((a, b)) => Err(format!("record {} was {a:?} and is {b:?}", a.seq)),
        None => Ok(()),
    }
}

/// No command has run more than once.
pub fn at_most_once(
    book: &Book,
    text: impl Fn(&str, &str) -> Option<String>,
) -> Result<(), String> {
    for (host, operation) in book.instances() {
        let path = format!("{EFFECTS}/{}", operation.name);
        let times = text(host, &path).map_or(0, |text| text.lines().count());
        if times > 1 {
            return Err(format!("{} ran {times} times on {host}", operation.name));
        }
    }
    Ok(())
}

/// Everything that the book does has been done, once, with the values that the journal recorded.
pub fn end(
    book: &Book,
    history: &History,
    text: impl Fn(&str, &str) -> Option<String>,
) -> Result<(), String> {
    at_most_once(book, &text)?;
    let mut values = BTreeMap::new();
    for (host, operation) in book.instances() {
        let same = |entry: &&Entry| {
            entry.intent.target.to_string() == host && is_of(&entry.intent, operation)
        };
        if let Some(value) = history
            .entries()
            .find(same)
            .and_then(|entry| value_of(&entry.state))
        {
            values.insert((host.to_owned(), operation.name.clone()), value);
        }
    }
    for ((host, path), wanted) in book.wanted(&values) {
        let found = text(&host, &path);
        if found.as_ref() != Some(&wanted) {
            return Err(format!(
                "{host}:{path} is {found:?} at the end and should be {wanted:?}"
            ));
        }
    }
    Ok(())
}

/// Whether a command has left its trace: what a person finds who looks.
pub fn left_a_trace(
    intent: &Intent,
    text: impl Fn(&str, &str) -> Option<String>,
) -> Result<bool, String> {
    let summary = &intent.summary;
    let trace = summary
        .split(">> ")
        .nth(1)
        .and_then(|rest| rest.split(';').next())
        .ok_or_else(|| format!("`{summary}` is no command with a trace"))?;
    let Target::Host(host) = &intent.target else {
        return Err(format!("`{summary}` is on no host"));
    };
    Ok(text(host.as_str(), trace.trim()).is_some_and(|text| !text.is_empty()))
}

/// Whether an operation of the journal is this one of the book.
fn is_of(intent: &Intent, operation: &Operation) -> bool {
    let name = &operation.name;
    match operation.word {
        Word::Run | Word::Guarded => intent.summary.ends_with(&format!("; echo out of {name}")),
        Word::Probe => intent.summary.contains(&format!("echo {name} $(")),
        Word::Read => {
            let read = operation.uses.as_deref().unwrap_or_default();
            intent.kind.contains("read") && intent.summary.ends_with(&format!("{EFFECTS}/{read}"))
        }
        _ => false,
    }
}

/// The text that the script got from an operation, without the space around it.
fn value_of(state: &EntryState) -> Option<String> {
    match state {
        EntryState::Finished {
            result: OutcomeResult::Value { value, .. },
            ..
        } => {
            let text = value.get("stdout").unwrap_or(value);
            Some(text.as_text().unwrap_or_default().trim().to_owned())
        }
        EntryState::ResolvedDone { .. } => Some(String::new()),
        _ => None,
    }
}
