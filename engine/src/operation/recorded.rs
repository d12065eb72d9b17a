//! What differs from one execution of a script to the next, and is therefore recorded: the clock, and which
//! secrets were used (never their values).

use crate::model::Value;
use crate::transport::{Cancel, ObservingFleet};

use super::{Failure, Observation};

/// `now()`: seconds since the epoch.
#[derive(Debug)]
pub struct ReadClock;

impl Observation for ReadClock {
    fn kind(&self) -> &str {
        "now"
    }

    fn arguments(&self) -> Value {
        Value::Null
    }

    fn summary(&self) -> String {
        "the time".into()
    }

    fn observe(&self, fleet: &dyn ObservingFleet, _: &Cancel) -> Result<Value, Failure> {
        Ok(Value::Int(fleet.clock().now().as_second()))
    }
}

/// `secret("NAME")`: that it was used.
#[derive(Debug)]
pub struct SecretUse {
    /// The secret's name.
    pub name: String,
}

impl Observation for SecretUse {
    fn kind(&self) -> &str {
        "secret"
    }

    fn arguments(&self) -> Value {
        Value::from_entries([("name", Value::from(self.name.clone()))])
    }

    fn summary(&self) -> String {
        format!("secret {}", self.name)
    }

    fn observe(&self, _: &dyn ObservingFleet, _: &Cancel) -> Result<Value, Failure> {
        Ok(Value::Null)
    }
}
