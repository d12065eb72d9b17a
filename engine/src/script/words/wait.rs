//! `wait_until(what, options, || …)`: an absolute deadline that survives a resume.

use std::sync::Arc;
use std::time::Duration;

use rhai::{Dynamic, Engine, EvalAltResult, FnPtr, Map, NativeCallContext};

use super::super::convert::{to_dynamic, to_value};
use super::super::failure::{self, Stop};
use super::super::scope::{self, Phase};
use super::super::session::{Session, misuse};
use super::each::detached;
use super::options::Options;
use crate::model::{Target, Unknown, Value};
use crate::operation::{Action, Failure, Wait};

/// How often a condition is tried if the script does not say: every two seconds.
const EVERY: Duration = Duration::from_secs(2);

struct ClosureWait<'a> {
    context: &'a NativeCallContext<'a>,
    what: String,
    timeout: Duration,
    every: Duration,
    condition: FnPtr,
}

impl Wait for ClosureWait<'_> {
    fn what(&self) -> &str {
        &self.what
    }

    fn arguments(&self) -> Value {
        Value::from_entries([
            ("what", Value::from(self.what.clone())),
            ("timeout_ms", Value::Int(self.timeout.as_millis() as i64)),
        ])
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn every(&self) -> Duration {
        self.every
    }

    fn check(&self) -> Result<Option<Value>, Failure> {
        let _inside = scope::enter_phase(Phase::Looking {
            of: "the condition of wait_until",
        });
        let called = self
            .condition
            .call_within_context::<Dynamic>(self.context, ());
        let value = called.map_err(|error| match failure::understand(&error) {
            Stop::Failure(failure) => failure,
            Stop::Finish(_) => {
                Failure::Misuse("`finish` is not allowed inside the condition of wait_until".into())
            }
        })?;
        if let Some(unknown) = value.read_lock::<Unknown>() {
            return Err(Failure::PlanEnds(unknown.clone()));
        }
        let unmet = value.is_unit() || value.as_bool() == Ok(false);
        if unmet {
            Ok(None)
        } else {
            to_value(&value).map(Some).map_err(Failure::Misuse)
        }
    }
}

/// Registers the word.
pub fn register(engine: &mut Engine, session: &Arc<Session>) {
    let words = session.clone();
    engine.register_fn(
        "wait_until",
        move |context: NativeCallContext,
              what: &str,
              options: Map,
              condition: FnPtr|
              -> Result<Dynamic, Box<EvalAltResult>> {
            let mut options = Options::of("wait_until", options);
            let timeout = options
                .duration("timeout")
                .map_err(|why| misuse(&context, why))?;
            let every = options
                .duration("every")
                .map_err(|why| misuse(&context, why))?
                .unwrap_or(EVERY);
            options.end().map_err(|why| misuse(&context, why))?;
            let timeout = timeout.ok_or_else(|| {
                misuse(
                    &context,
                    "wait_until needs a `timeout`: nobody waits for ever (#{ timeout: \"5m\" })",
                )
            })?;
            let wait = ClosureWait {
                context: &context,
                what: what.to_owned(),
                timeout,
                every: every.max(Duration::from_millis(50)),
                condition: detached(&condition),
            };
            words
                .perform(&context, Target::Run, Action::Wait(&wait))
                .map(|value| to_dynamic(&value))
        },
    );
}
