//! Images of what changes: how they differ, how they are looked at again, how one is put back.

use crate::model::{FileImage, FileState, Image, Subject, Target, Value};
use crate::text::diff;
use crate::transport::{ActingFleet, ObservingFleet, PatchKind, merged};

use super::{Failure, cluster};

/// The difference between two states for a reader; none if there is nothing to show.
pub fn image_diff(subject: &Subject, before: &Image, after: &Image) -> Option<String> {
    let text = match (before, after) {
        (Image::File(before), Image::File(after)) => file_diff(&subject.to_string(), before, after),
        (Image::Object(before), Image::Object(after)) => {
            object_diff(&subject.to_string(), before.as_ref(), after.as_ref())
        }
        (Image::Value(before), Image::Value(after)) => value_diff(before, after),
        _ => format!("{subject}: {before:?} → {after:?}"),
    };
    (!text.is_empty()).then_some(text)
}

fn file_diff(path: &str, before: &FileState, after: &FileState) -> String {
    let mut text = diff::unified(path, before.content(), after.content());
    match (before, after) {
        (FileState::Present(before), FileState::Present(after)) => {
            if before.mode != after.mode {
                text.push_str(&format!("mode: {:04o} → {:04o}\n", before.mode, after.mode));
            }
            if (before.uid, before.gid) != (after.uid, after.gid) {
                let (from, to) = (
                    format!("{}:{}", before.uid, before.gid),
                    format!("{}:{}", after.uid, after.gid),
                );
                text.push_str(&format!("owner: {from} → {to}\n"));
            }
            if before.selinux != after.selinux {
                let label =
                    |image: &FileImage| image.selinux.clone().unwrap_or_else(|| "(none)".into());
                text.push_str(&format!(
                    "SELinux context: {} → {}\n",
                    label(before),
                    label(after)
                ));
            }
        }
        (FileState::Absent, FileState::Present(made)) => {
            text.push_str(&format!(
                "mode: {:04o}, owner: {}:{}\n",
                made.mode, made.uid, made.gid
            ));
        }
        _ => {}
    }
    text
}

fn object_diff(
    name: &str,
    before: Option<&serde_json::Value>,
    after: Option<&serde_json::Value>,
) -> String {
    match (before, after) {
        (Some(before), Some(after)) => {
            let (before, after) = cluster::veil_pair(before, after);
            diff::fields(&before, &after)
        }
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
    if *value == Value::Null {
        "(none)".into()
    } else {
        value.to_string()
    }
}

/// A state as it may be kept in a journal: as it is, but for what a `Secret` holds.
pub fn kept(image: &Image) -> Image {
    match image {
        Image::Object(Some(object)) => Image::Object(Some(cluster::veil(object.clone()))),
        other => other.clone(),
    }
}

/// Whether `now` still is `state`, the state between which and `other` a change lies. Of an object only what the
/// change concerns counts: servers and controllers write into the rest.
pub fn still_is(state: &Image, other: &Image, now: &Image) -> bool {
    match state {
        Image::Object(_) => cluster::left_as(other, state, now),
        _ => state.is_met_by(now),
    }
}

/// The state to go back to, from `now`: for an object that is there in all three, `now` with what lies between
/// `before` and `after` taken back, and the rest left as others have made it.
pub fn taken_back(before: &Image, after: &Image, now: &Image) -> Image {
    match (before, after, now) {
        (Image::Object(Some(before)), Image::Object(Some(after)), Image::Object(Some(now))) => {
            let back = cluster::revert_patch(before, after);
            Image::Object(Some(cluster::state_of(merged(
                PatchKind::Merge,
                now,
                &back,
            ))))
        }
        _ => before.clone(),
    }
}

/// The present state of what a change changed, where the engine itself can look at it.
pub fn observe_subject(
    fleet: &dyn ObservingFleet,
    target: &Target,
    subject: &Subject,
) -> Result<Image, Failure> {
    match subject {
        Subject::File(path) => Ok(Image::File(fleet.observer(target)?.read_file(path)?)),
        Subject::Object(object) => cluster::observe_object(&*fleet.cluster_observer()?, object),
        Subject::Scripted(what) => Err(Failure::Misuse(format!(
            "{what}: only the runbook can look at this, and it no longer gets there"
        ))),
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
        (Subject::Object(object), from, to) => {
            cluster::restore(&*fleet.cluster_actor()?, object, from, to)
        }
        _ => Err(Failure::Misuse(format!(
            "{subject}: only the runbook can put this back, and it no longer gets there"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ObjectRef, TargetPath};
    use serde_json::json;

    fn file(content: &str, mode: u32, owner: (u32, u32), selinux: Option<&str>) -> Image {
        Image::File(FileState::Present(FileImage {
            content: content.into(),
            mode,
            uid: owner.0,
            gid: owner.1,
            selinux: selinux.map(str::to_owned),
        }))
    }

    fn shown(before: &Image, after: &Image) -> String {
        let subject = Subject::File(TargetPath::parse("/etc/x").unwrap());
        image_diff(&subject, before, after).unwrap_or_default()
    }

    #[test]
    fn files_show_content_mode_and_owner() {
        let (a, absent) = (
            file("a\n", 0o644, (0, 0), None),
            Image::File(FileState::Absent),
        );
        assert_eq!(shown(&a, &a), "");
        assert_eq!(
            shown(&a, &file("a\n", 0o600, (0, 0), None)),
            "mode: 0644 → 0600\n"
        );
        assert_eq!(
            shown(&a, &file("b\n", 0o644, (1, 2), Some("etc_t"))),
            "--- /etc/x\n+++ /etc/x\n@@ -1 +1 @@\n-a\n+b\nowner: 0:0 → 1:2\nSELinux context: (none) → etc_t\n"
        );
        assert_eq!(
            shown(&absent, &a),
            "--- /dev/null\n+++ /etc/x\n@@ -0,0 +1 @@\n+a\nmode: 0644, owner: 0:0\n"
        );
        assert_eq!(
            shown(&a, &absent),
            "--- /etc/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n"
        );
    }

    #[test]
    fn objects_and_values_show_their_fields() {
        let object = ObjectRef {
            api_version: "v1".into(),
            kind: "Pod".into(),
            namespace: Some("n".into()),
            name: "p".into(),
        };
        let subject = Subject::Object(object);
        let (one, two) = (
            Image::Object(Some(json!({"a": 1}))),
            Image::Object(Some(json!({"a": 2}))),
        );
        assert_eq!(
            image_diff(&subject, &one, &two).as_deref(),
            Some("a: 1 → 2")
        );
        assert_eq!(
            image_diff(&subject, &one, &Image::Object(None)).as_deref(),
            Some("- pod n/p")
        );
        assert_eq!(image_diff(&subject, &one, &one), None);
        let scripted = Subject::Scripted("mtu of eth0".into());
        let value = |number: i64| Image::Value(Value::Int(number));
        assert_eq!(
            image_diff(&scripted, &value(1500), &value(1450)).as_deref(),
            Some("1500 → 1450")
        );
        assert_eq!(
            image_diff(&scripted, &Image::Value(Value::Null), &value(1)).as_deref(),
            Some("(none) → 1")
        );
    }

    #[test]
    fn a_context_that_nobody_asked_for_is_no_difference() {
        let asked = file("a", 0o644, (0, 0), None);
        assert!(asked.is_met_by(&file("a", 0o644, (0, 0), Some("etc_t"))));
        assert!(!file("a", 0o644, (0, 0), Some("x_t")).is_met_by(&file(
            "a",
            0o644,
            (0, 0),
            Some("etc_t")
        )));
        for other in [
            file("b", 0o644, (0, 0), None),
            file("a", 0o600, (0, 0), None),
            file("a", 0o644, (0, 1), None),
        ] {
            assert!(!asked.is_met_by(&other));
        }
        assert!(!asked.is_met_by(&Image::File(FileState::Absent)));
    }
}
