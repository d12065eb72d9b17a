//! What the API server says to a change before it is made, as a dry run tells it.

use serde_json::Value as Json;

use super::{failed, state_of};
use crate::model::ObjectRef;
use crate::operation::Failure;
use crate::transport::{ClusterObserver, Proposal, Verdict, difference};

/// Asks the API server (`dryRun=All`). Gives a note for the plan: that it could not be asked, or which fields it would
/// change besides those of `after`. A refusal is an error, because it would be one in the run.
pub(super) fn rehearse(
    observer: &dyn ClusterObserver,
    object: &ObjectRef,
    proposal: &Proposal<'_>,
    after: Option<&Json>,
) -> Result<Option<String>, Failure> {
    match observer.would(proposal)? {
        Verdict::Premature => Ok(None),
        Verdict::NotAsked(why) => Ok(Some(format!("not checked with the API server: {why}"))),
        Verdict::Refused(why) => Err(Failure::Failed(
            failed(format!("the API server would refuse it: {why}")).hint(format!(
                "nothing was changed; change what is asked of {object}, or what forbids it, and plan again"
            )),
        )),
        Verdict::Accepted(answer) => Ok(after.and_then(|after| {
            let mut places = Vec::new();
            leaves("", &difference(after, &state_of(answer)), &mut places);
            match places.is_empty() {
                true => None,
                false => Some(format!("the API server would also change {}", places.join(", "))),
            }
        })),
    }
}

/// The places that a difference names; not the values, which may be secrets.
fn leaves(path: &str, difference: &Json, places: &mut Vec<String>) {
    match difference {
        Json::Object(fields) if path.is_empty() || !fields.is_empty() => {
            for (key, value) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                leaves(&format!("{path}{dot}{key}"), value, places);
            }
        }
        _ => places.push(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_is_told_by_its_places() {
        let mut places = Vec::new();
        leaves(
            "",
            &json!({"spec": {"a": 1, "b": {"c": null}}}),
            &mut places,
        );
        assert_eq!(places, ["spec.a", "spec.b.c"]);
        let mut none = Vec::new();
        leaves("", &json!({}), &mut none);
        assert!(none.is_empty());
    }
}
