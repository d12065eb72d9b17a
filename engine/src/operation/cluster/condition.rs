//! What `kube.wait` waits for.

use serde_json::Value as Json;

use crate::operation::Failure;

/// A condition of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It is there.
    Exists,
    /// It is gone.
    Deleted,
    /// Every pod of the workload is of the newest template, and available.
    RolledOut,
    /// One of `status.conditions` has this status.
    Status {
        /// Its type, such as `Ready`.
        kind: String,
        /// `True`, `False` or `Unknown`.
        status: String,
    },
    /// A field has this value.
    Field {
        /// The way to it, such as `status.phase`.
        path: Vec<String>,
        /// Its value as text.
        value: String,
    },
}

impl Condition {
    /// `exists`, `deleted`, `rolled out`, `Ready`, `Ready=False`, `status.phase=Running`.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = || {
            Failure::Misuse(format!(
                "{text:?} is no condition; there are \"exists\", \"deleted\", \"rolled out\", a condition such as \
                 \"Ready\" or \"Ready=False\", and a field such as \"status.phase=Running\""
            ))
        };
        let (left, right) = match text.split_once('=') {
            Some((left, right)) => (left.trim(), Some(right.trim())),
            None => (text.trim(), None),
        };
        match (left, right) {
            ("exists", None) => Ok(Self::Exists),
            ("deleted", None) => Ok(Self::Deleted),
            ("rolled out", None) => Ok(Self::RolledOut),
            (path, Some(value)) if path.contains('.') => Ok(Self::Field {
                path: path.split('.').map(str::to_owned).collect(),
                value: value.to_owned(),
            }),
            (kind, status)
                if !kind.is_empty() && kind.chars().all(|c| c.is_ascii_alphanumeric()) =>
            {
                Ok(Self::Status {
                    kind: kind.to_owned(),
                    status: status.unwrap_or("True").to_owned(),
                })
            }
            _ => Err(wrong()),
        }
    }

    /// Whether it holds of the object as it is now.
    pub fn holds(&self, object: Option<&Json>) -> bool {
        let Some(object) = object else {
            return *self == Self::Deleted;
        };
        match self {
            Self::Exists => true,
            Self::Deleted => false,
            Self::RolledOut => rolled_out(object),
            Self::Status { kind, status } => {
                let conditions = object["status"]["conditions"].as_array();
                conditions
                    .into_iter()
                    .flatten()
                    .any(|one| one["type"] == kind.as_str() && one["status"] == status.as_str())
            }
            Self::Field { path, value } => {
                let found = path.iter().fold(object, |at, key| match at {
                    Json::Array(items) => key
                        .parse::<usize>()
                        .ok()
                        .and_then(|place| items.get(place))
                        .unwrap_or(&Json::Null),
                    _ => &at[key.as_str()],
                });
                match found {
                    Json::String(text) => text == value,
                    Json::Null => value.is_empty(),
                    other => {
                        let text = other.to_string();
                        text == *value
                    }
                }
            }
        }
    }
}

/// As `kubectl rollout status` judges (kubectl `pkg/polymorphichelpers/rollout_status.go`): the controller has seen the
/// newest template, and nothing of an older one is left or still to come.
fn rolled_out(object: &Json) -> bool {
    let status = &object["status"];
    let number = |value: &Json| value.as_i64().unwrap_or(0);
    if number(&status["observedGeneration"]) < number(&object["metadata"]["generation"]) {
        return false;
    }
    if object["kind"] == "DaemonSet" {
        let wanted = number(&status["desiredNumberScheduled"]);
        return number(&status["updatedNumberScheduled"]) >= wanted
            && number(&status["numberAvailable"]) >= wanted;
    }
    let wanted = object["spec"]["replicas"].as_i64().unwrap_or(1);
    number(&status["updatedReplicas"]) >= wanted
        && number(&status["replicas"]) <= number(&status["updatedReplicas"])
        && number(&status["availableReplicas"]) >= wanted
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(condition: &str, object: Json) -> bool {
        Condition::parse(condition).unwrap().holds(Some(&object))
    }

    #[test]
    fn conditions_are_read_and_judged() {
        let pod = json!({ "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "False" }],
            "containerStatuses": [{ "restartCount": 3 }] }});
        assert!(!holds("Ready", pod.clone()));
        assert!(holds("Ready=False", pod.clone()));
        assert!(holds("status.phase=Running", pod.clone()));
        assert!(holds(
            "status.containerStatuses.0.restartCount=3",
            pod.clone()
        ));
        assert!(holds("exists", pod.clone()) && !holds("deleted", pod));
        assert!(Condition::parse("deleted").unwrap().holds(None));
        assert!(!Condition::parse("Ready").unwrap().holds(None));
        assert!(Condition::parse("what is this?").is_err());
    }

    #[test]
    fn a_rollout_ends_when_nothing_old_is_left() {
        let deployment = |status: Json| json!({ "kind": "Deployment", "metadata": { "generation": 2 }, "spec": { "replicas": 2 }, "status": status });
        let done = json!({ "observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2 });
        assert!(holds("rolled out", deployment(done)));
        let unseen = json!({ "observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2 });
        assert!(!holds("rolled out", deployment(unseen)));
        let surge = json!({ "observedGeneration": 2, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 3 });
        assert!(!holds("rolled out", deployment(surge)));
    }
}
