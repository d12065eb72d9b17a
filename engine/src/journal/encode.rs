//! Between records and blobs and the redacted text that is stored.

use std::borrow::Cow;
use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::chain::{BlobForm, RowRef, StoredBlob};
use super::kept::Place;
use super::sketch::{Sketch, kind, sketched};
use super::{Intent, JournalError, OutcomeResult, Record, Stored};
use crate::model::Secrets;

/// The record as it is stored. What the format itself says (names of fields and variants, ids, hashes,
/// times) is left alone: it is not the secret even where it looks like it, and without it a journal could
/// not be read by someone who does not know the secrets.
pub(super) fn record_text(record: &Record, secrets: &Secrets) -> String {
    let text = serde_json::to_string(record).expect("a record always has a JSON form");
    if secrets.names().is_empty() {
        return secrets.redact_json(&text);
    }
    let own = own_words(record);
    secrets.redact_json_except(&text, |content| {
        WORDS.contains(&content) || own.contains(content)
    })
}

/// The record of a row, as its writer saw it if `secrets` are known.
pub(super) fn read(row: RowRef<'_>, secrets: &Secrets) -> Result<Stored, JournalError> {
    noted();
    let body = revealed(row.body, secrets);
    Ok(Stored {
        seq: row.seq,
        at: place(row)?.at,
        record: parsed(&body).map_err(|error| unread(row.seq, &error))?,
    })
}

/// What a history of traces needs of a row's record.
pub(super) fn sketch<T>(
    row: RowRef<'_>,
    secrets: &Secrets,
    take: impl FnOnce(Sketch<'_>) -> T,
) -> Result<T, JournalError> {
    let body = revealed(row.body, secrets);
    let sketched = sketched(place(row)?, &body).map_err(|error| unread(row.seq, &error))?;
    Ok(take(match sketched {
        Some(sketch) => {
            noted();
            sketch
        }
        None => Sketch::Whole(read(row, secrets)?),
    }))
}

/// What a row's record says that an operation gave.
pub(super) fn result(row: RowRef<'_>, secrets: &Secrets) -> Result<OutcomeResult, JournalError> {
    /// The end of both kinds of record that say it.
    #[derive(serde::Deserialize)]
    struct Given {
        result: OutcomeResult,
    }
    noted();
    let body = revealed(row.body, secrets);
    let given = serde_json::from_str::<Given>(&body);
    given
        .map(|Given { result }| result)
        .map_err(|error| unread(row.seq, &error))
}

/// Most records hold no mark of a secret, and are read where they lie.
fn revealed<'row>(body: &'row str, secrets: &Secrets) -> Cow<'row, str> {
    match Secrets::are_marked(body) {
        true => secrets.reveal_json(body).into(),
        false => body.into(),
    }
}

fn place(row: RowRef<'_>) -> Result<Place, JournalError> {
    let at = row.at.parse();
    Ok(Place {
        seq: row.seq,
        at: at.map_err(|error| JournalError::Illegal {
            seq: row.seq,
            what: format!("its time {:?} is none ({error})", row.at),
        })?,
    })
}

fn unread(seq: u64, error: &serde_json::Error) -> JournalError {
    JournalError::Illegal {
        seq,
        what: format!("it cannot be read ({error})"),
    }
}

/// A record, by its text. Those of which a journal has many are read straight into what they are: the general way
/// holds every field in a tree of its own until it knows the kind of record.
fn parsed(body: &str) -> serde_json::Result<Record> {
    #[derive(serde::Deserialize)]
    struct Observed {
        intent: Box<Intent>,
        result: OutcomeResult,
    }
    match kind(body) {
        Some("intent") => serde_json::from_str(body).map(Record::Intent),
        Some("outcome") => serde_json::from_str(body).map(Record::Outcome),
        Some("observed") => serde_json::from_str(body)
            .map(|Observed { intent, result }| Record::Observed { intent, result }),
        _ => serde_json::from_str(body),
    }
}

fn noted() {
    #[cfg(test)]
    READ.set(READ.get() + 1);
}

#[cfg(test)]
thread_local! {
    /// How many records this thread has read: what opening and replay pay for each operation.
    pub(super) static READ: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// The blob as it is stored.
pub(super) fn blob(bytes: &[u8], secrets: &Secrets) -> StoredBlob {
    match std::str::from_utf8(bytes) {
        Ok(text) if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() => {
            let own = |content: &str| WORDS.contains(&content);
            StoredBlob::new(BlobForm::Json, secrets.redact_json_except(text, own))
        }
        Ok(text) => StoredBlob::new(BlobForm::Text, secrets.redact(text)),
        Err(_) => StoredBlob::new(BlobForm::Base64, secrets.redact(&STANDARD.encode(bytes))),
    }
}

/// The bytes of a stored blob, as its writer saw them if `secrets` are known.
pub(super) fn bytes(blob: &StoredBlob, secrets: &Secrets) -> Result<Vec<u8>, JournalError> {
    match blob.form {
        BlobForm::Json => Ok(secrets.reveal_json(&blob.text).into_bytes()),
        BlobForm::Text => Ok(secrets.reveal(&blob.text).into_bytes()),
        BlobForm::Base64 => STANDARD
            .decode(secrets.reveal(&blob.text))
            .map_err(|_| JournalError::NoBlob(format!("{} without its secrets", blob.id.0))),
    }
}

/// Ids, hashes and times of this very record.
fn own_words(record: &Record) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    match record {
        Record::RunStarted(header) => {
            words.extend([header.run.to_string(), header.seed.clone()]);
            let sources = header.sources.iter().chain(&header.inventory);
            words.extend(sources.map(|source| source.blob.0.clone()));
        }
        Record::Observed { intent, .. } | Record::Intent(intent) => {
            intent_words(intent, &mut words)
        }
        Record::Outcome(outcome) => words.extend([outcome.id.to_string()]),
        Record::Resolved { operation, .. } => words.extend([operation.to_string()]),
        Record::Retried { operations, .. } => {
            words.extend(operations.iter().map(ToString::to_string));
        }
        Record::Edited {
            sources,
            reused,
            orphaned,
            ..
        } => {
            words.extend(sources.iter().map(|source| source.blob.0.clone()));
            words.extend(reused.values().chain(orphaned).map(ToString::to_string));
        }
        Record::Ended { failed, .. } => words.extend(failed.iter().map(ToString::to_string)),
        _ => {}
    }
    words
}

fn intent_words(intent: &Intent, words: &mut BTreeSet<String>) {
    words.extend([intent.id.to_string(), intent.fingerprint.clone()]);
    words.extend(intent.undoes.iter().map(ToString::to_string));
    words.extend(intent.deadline.iter().map(ToString::to_string));
    if let Some(change) = &intent.change {
        words.extend([change.before.0.clone(), change.after.0.clone()]);
        words.extend([
            change.before_fingerprint.clone(),
            change.after_fingerprint.clone(),
        ]);
    }
}

/// Names of fields and variants in records and images.
const WORDS: &[&str] = &[
    "$unknown_until_run",
    "abort",
    "aborted",
    "absent",
    "action",
    "after",
    "after_fingerprint",
    "api_version",
    "arguments",
    "assert",
    "attempt",
    "base64",
    "because",
    "before",
    "before_fingerprint",
    "behaviour",
    "blob",
    "bool",
    "branch",
    "change",
    "changed",
    "class",
    "cluster",
    "column",
    "command",
    "container",
    "content",
    "context",
    "deadline",
    "decision",
    "detail",
    "done",
    "edited",
    "edition",
    "ended",
    "ending",
    "engine",
    "epoch",
    "failed",
    "file",
    "fingerprint",
    "finished",
    "float",
    "hint",
    "host",
    "intent",
    "interrupted",
    "inventory",
    "irreversible",
    "kind",
    "kubeconfig",
    "label",
    "limit",
    "line",
    "list",
    "message",
    "mode",
    "name",
    "namespace",
    "null",
    "object",
    "observe",
    "observed",
    "operation",
    "operations",
    "operator",
    "origin",
    "orphaned",
    "outcome",
    "parallel",
    "parameters",
    "path",
    "present",
    "record",
    "recovered",
    "report",
    "resolved",
    "result",
    "resume",
    "retried",
    "retry",
    "reused",
    "run_started",
    "schema",
    "scope",
    "scripted",
    "seed",
    "selinux",
    "session_started",
    "skipped",
    "source",
    "sources",
    "status",
    "step",
    "step_ended",
    "step_started",
    "stopped",
    "subject",
    "summary",
    "target",
    "tell",
    "text",
    "title",
    "undecided",
    "undo",
    "undoes",
    "undone",
    "unknown",
    "unreachable",
    "value",
    "wait",
];
