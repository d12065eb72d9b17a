//! Where an operation happens.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of a host in the inventory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HostName(String);

impl HostName {
    /// Takes a name; refuses the empty one, a leading dash (it would read as an option) and characters
    /// that no host name, alias or address has.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("a host name must not be empty".into());
        }
        if text.starts_with('-') {
            return Err(format!("a host name must not start with a dash: {text:?}"));
        }
        match text
            .chars()
            .find(|c| !(c.is_ascii_alphanumeric() || "-._:@".contains(*c)))
        {
            Some(bad) => Err(format!("a host name must not contain {bad:?}: {text:?}")),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where an operation happens: a host, a pod, the cluster's API, or the run itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The engine itself: clock, questions, assertions.
    Run,
    /// A host of the inventory (or a node of the cluster) by name.
    Host(HostName),
    /// A container of a pod.
    Pod {
        /// Namespace.
        namespace: String,
        /// Name of the pod.
        name: String,
        /// Container; none for the pod's first.
        container: Option<String>,
    },
    /// The cluster's API.
    Cluster,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run => f.write_str("run"),
            Self::Host(host) => host.fmt(f),
            Self::Pod {
                namespace,
                name,
                container: None,
            } => write!(f, "pod/{namespace}/{name}"),
            Self::Pod {
                namespace,
                name,
                container: Some(container),
            } => {
                write!(f, "pod/{namespace}/{name}/{container}")
            }
            Self::Cluster => f.write_str("cluster"),
        }
    }
}

/// An absolute path on a target, without NUL. Never opened on the operator's machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TargetPath(String);

impl TargetPath {
    /// Takes a path; refuses a relative one, NUL, and one that ends in a slash.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.starts_with('/') {
            return Err(format!(
                "a path on a target must be absolute (start with `/`): {text:?}"
            ));
        }
        if text.contains('\0') {
            return Err(format!("a path must not contain a NUL byte: {text:?}"));
        }
        if text.len() > 1 && text.ends_with('/') {
            return Err(format!("a path of a file must not end with `/`: {text:?}"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TargetPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
