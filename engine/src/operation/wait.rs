//! Waits: until a condition holds, or an absolute deadline that survives a resume.

use std::time::Duration;

use crate::model::Value;

use super::Failure;

/// A condition to wait for.
pub trait Wait {
    /// What is waited for, in words.
    fn what(&self) -> &str;
    /// The arguments, as plain data.
    fn arguments(&self) -> Value;
    /// How long at most, from the first try of the first attempt.
    fn timeout(&self) -> Duration;
    /// How long between two tries.
    fn every(&self) -> Duration;
    /// One try: the value if the condition holds.
    fn check(&self) -> Result<Option<Value>, Failure>;
}
