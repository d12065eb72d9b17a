//! Observations: operations that only look.

use crate::model::Value;
use crate::transport::{Cancel, ObservingFleet};

use super::Failure;

/// Something to look at on a target. Safe in a dry run.
pub trait Observation {
    /// The word, such as `host.probe`.
    fn kind(&self) -> &str;
    /// The arguments, as plain data.
    fn arguments(&self) -> Value;
    /// One line for a reader.
    fn summary(&self) -> String;
    /// The file that is looked at, where it is one file: a dry run answers for files that it knows.
    fn file(&self) -> Option<&crate::model::TargetPath> {
        None
    }
    /// The kind and namespace that is listed, where it is a list of objects: a dry run does not know the names that
    /// controllers will give to what they make again.
    fn listed(&self) -> Option<(String, Option<String>)> {
        None
    }
    /// The text of the command that looks, where it is one: what it reads is not known, but what it names is.
    fn command(&self) -> Option<String> {
        None
    }
    /// Whether it may fail now for want of what a dry run has planned before it: a command that reads what is not there
    /// yet, the log of a pod that is not made yet.
    fn may_come_too_early(&self) -> bool {
        self.command().is_some()
    }
    /// Looks.
    fn observe(&self, fleet: &dyn ObservingFleet, cancel: &Cancel) -> Result<Value, Failure>;
}
