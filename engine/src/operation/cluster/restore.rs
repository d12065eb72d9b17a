//! Putting an image of an object back.

use serde_json::Value as Json;

use super::{failed, object_in, state_of};
use crate::model::{Image, ObjectRef};
use crate::operation::Failure;
use crate::transport::{ClusterActor, PatchKind, TransportError, agrees, covers, difference};

use super::state::is_going;

/// How often a patch is tried again because something that does not concern it changed.
const TRIES: usize = 8;

/// The merge patch that takes back what a change did: each field in which `before` and `after` differ as it was
/// before, and nothing else. A list that was changed is put back whole.
pub fn revert_patch(before: &Json, after: &Json) -> Json {
    difference(after, before)
}

/// Whether an object still is as a change left it: like `after` in every field in which `before` and `after` differ,
/// whatever became of the others, and with whatever the server filled in.
pub fn left_as(before: &Image, after: &Image, now: &Image) -> bool {
    let (Image::Object(before), Image::Object(after), Image::Object(now)) = (before, after, now)
    else {
        return false;
    };
    match (before, after, now) {
        (_, None, now) => now.is_none(),
        (None, Some(after), Some(now)) => covers(PatchKind::Merge, now, after),
        (Some(before), Some(after), Some(now)) => {
            agrees(Some(now), Some(after), Some(before))
                || covers(PatchKind::Merge, now, &difference(before, after))
        }
        (_, Some(_), None) => false,
    }
}

/// Brings an object from the state `from` to the state `to`: creates it, deletes it, or patches back the fields in
/// which the two differ. Fails without writing if the object is no longer `from` in those fields.
pub fn restore(
    actor: &dyn ClusterActor,
    object: &ObjectRef,
    from: &Image,
    to: &Image,
) -> Result<(), Failure> {
    match (object_in(from, object)?, object_in(to, object)?) {
        (None, None) => Ok(()),
        (None, Some(to)) => create(actor, object, to),
        (Some(from), None) => delete(actor, object, from),
        (Some(from), Some(to)) => patch(actor, object, from, to),
    }
}

fn changed(object: &ObjectRef) -> TransportError {
    TransportError::Changed {
        target: crate::model::Target::Cluster,
        what: object.to_string(),
    }
}

fn create(actor: &dyn ClusterActor, object: &ObjectRef, to: &Json) -> Result<(), Failure> {
    // The image may come from a journal of another version: what only the server writes is never sent.
    match actor.create(&state_of(to.clone())) {
        Ok(_) => Ok(()),
        Err(refused @ TransportError::Refused { .. }) => match actor.get(object)? {
            Some(now) if covers(PatchKind::Merge, &state_of(now.clone()), to) => Ok(()),
            Some(_) => Err(Failure::Failed(failed(format!(
                "{object} cannot be put back: another of this name is there"
            )))),
            None => Err(refused.into()),
        },
        Err(error) => Err(error.into()),
    }
}

fn delete(actor: &dyn ClusterActor, object: &ObjectRef, from: &Json) -> Result<(), Failure> {
    let Some(now) = actor.get(object)?.filter(|now| !is_going(now)) else {
        return Ok(());
    };
    let uid = now["metadata"]["uid"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    if !covers(PatchKind::Merge, &state_of(now), from) {
        return Err(changed(object).into());
    }
    Ok(actor.delete(object, &uid)?)
}

fn patch(
    actor: &dyn ClusterActor,
    object: &ObjectRef,
    from: &Json,
    to: &Json,
) -> Result<(), Failure> {
    let back = revert_patch(to, from);
    for _ in 0..TRIES {
        let now = actor.get(object)?.filter(|now| !is_going(now));
        let now = now.ok_or_else(|| {
            Failure::Failed(failed(format!(
                "{object} is gone: there is nothing to put back"
            )))
        })?;
        let version = now["metadata"]["resourceVersion"]
            .as_str()
            .map(str::to_owned);
        let now = state_of(now);
        if agrees(Some(&now), Some(to), Some(from)) {
            return Ok(());
        }
        if !agrees(Some(&now), Some(from), Some(to)) {
            return Err(changed(object).into());
        }
        match actor.patch(object, PatchKind::Merge, &back, version.as_deref()) {
            Err(TransportError::Changed { .. }) => {}
            other => return Ok(other.map(drop)?),
        }
    }
    Err(changed(object).into())
}
