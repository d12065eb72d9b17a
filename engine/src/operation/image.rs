//! Images of what changes: how they differ, how they are looked at again, how one is put back.

use crate::model::{FileState, Image, Subject, Target, Value};
use crate::text::diff;
use crate::transport::{ActingFleet, ObservingFleet};

use super::{Failure, cluster};

/// The difference between two states for a reader; none if there is nothing to show.
pub fn image_diff(subject: &Subject, before: &Image, after: &Image) -> Option<String> {
    let text = match (before, after) {
        (Image::File(before), Image::File(after)) => file_diff(&subject.to_string(), before, after),
        (Image::Object(before), Image::Object(after)) => object_diff(&subject.to_string(), before.as_ref(), after.as_ref()),
        (Image::Value(before), Image::Value(after)) => value_diff(before, after),
        _ => format!("{subject}: {before:?} → {after:?}"),
    };
    (!text.is_empty()).then_some(text)
}

fn file_diff(path: &str, before: &FileState, after: &FileState) -> String {
    let mut text = diff::unified(path, before.content(), after.content());
    if let (FileState::Present(before), FileState::Present(after)) = (before, after) {
        if before.mode != after.mode {
            text.push_str(&format!("mode: {:04o} → {:04o}\n", before.mode, after.mode));
        }
        if (before.uid, before.gid) != (after.uid, after.gid) {
            text.push_str(&format!("owner: {}:{} → {}:{}\n", before.uid, before.gid, after.uid, after.gid));
        }
    }
    text
}

fn object_diff(name: &str, before: Option<&serde_json::Value>, after: Option<&serde_json::Value>) -> String {
    match (before, after) {
        (Some(before), Some(after)) => diff::fields(before, after),
        (Some(_), None) => format!("- {name}"),
        (None, Some(_)) => format!("+ {name}"),
        (None, None) => String::new(),
    }
}

fn value_diff(before: &Value, after: &Value) -> String {
    match (before, after) {
        (Value::Map(_), Value::Map(_)) => diff::fields(&before.into(), &after.into()),
        _ if before == after => String::new(),
        _ => format!("{} → {}", shown(before), shown(after)),
    }
}

fn shown(value: &Value) -> String {
    if *value == Value::Null { "(none)".into() } else { value.to_string() }
}

/// The present state of what a change changed, where the engine itself can look at it.
pub fn observe_subject(fleet: &dyn ObservingFleet, target: &Target, subject: &Subject) -> Result<Image, Failure> {
    match subject {
        Subject::File(path) => Ok(Image::File(fleet.observer(target)?.read_file(path)?)),
        Subject::Object(object) => cluster::observe_object(&*fleet.cluster_observer()?, object),
        Subject::Scripted(what) => {
            Err(Failure::Misuse(format!("{what}: only the runbook can look at this, and it no longer gets there")))
        }
    }
}

/// Brings what a change changed from one state to another, where the engine itself can.
pub fn apply_image(
    fleet: &dyn ActingFleet,
    target: &Target,
    subject: &Subject,
    from: &Image,
    to: &Image,
) -> Result<(), Failure> {
    match (subject, from, to) {
        (Subject::File(path), Image::File(from), Image::File(to)) => {
            Ok(fleet.actor(target)?.replace_file(path, from, to)?)
        }
        (Subject::Object(object), from, to) => cluster::restore(&*fleet.cluster_actor()?, object, from, to),
        _ => Err(Failure::Misuse(format!("{subject}: only the runbook can put this back, and it no longer gets there"))),
    }
}
