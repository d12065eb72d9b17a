//! The words on objects of the cluster: get, list, logs, wait; patch, label, annotate, scale, create, delete, evict,
//! rollout_restart.
//!
//! - [`state_of`], [`observe_object`]: an object as an image
//! - [`GetObject`], [`ListObjects`], [`PodLogs`]: words that look
//! - [`PatchObject`], [`CreateObject`], [`DeleteObject`], [`RestartRollout`]: words that change
//! - [`Condition`]: what is waited for
//! - [`restore`]: putting an image back
//! - `verdict`: what the API server says beforehand
//! - [`veil`]: what of a `Secret` may be kept and shown

mod apply;
mod condition;
mod create;
mod delete;
mod name;
mod patch;
mod read;
mod restore;
mod rollout;
mod run_pod;
mod state;
#[cfg(test)]
mod tests;
mod veil;
mod verdict;

pub use apply::ApplyObject;
pub use condition::Condition;
pub use create::CreateObject;
pub use delete::DeleteObject;
pub use name::{resolve, resolve_kind};
pub use patch::PatchObject;
pub use read::{GetObject, ListObjects, PodLogs, UniqueName};
pub use restore::{left_as, restore, revert_patch};
pub use rollout::RestartRollout;
pub use run_pod::{PodEnd, PodRun, exit_of};
pub use state::{observe_object, state_of};
pub use veil::{names_secret, veil, veil_pair};

use super::{Failure, Report};
use crate::model::{Image, ObjectRef, Target, Value};

/// The object in an image; the image of something else is a mistake of the caller.
fn object_in<'a>(
    image: &'a Image,
    object: &ObjectRef,
) -> Result<Option<&'a serde_json::Value>, Failure> {
    match image {
        Image::Object(state) => Ok(state.as_ref()),
        _ => Err(Failure::Misuse(format!(
            "{object}: not an image of an object"
        ))),
    }
}

/// The name of an object as an operation's arguments have it.
fn arguments_of(object: &ObjectRef) -> Vec<(&'static str, Value)> {
    vec![
        ("api_version", object.api_version.clone().into()),
        ("kind", object.kind.clone().into()),
        ("namespace", object.namespace.clone().into()),
        ("name", object.name.clone().into()),
    ]
}

fn failed(message: impl Into<String>) -> Report {
    Report::new(message).on(&Target::Cluster)
}
