//! `expect(what, actual, wanted)` and `ensure(condition, message)`: claims that are checked.

use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, NativeCallContext};

use super::super::convert::to_value;
use super::super::session::{Session, misuse};
use super::super::unknown;
use crate::model::{Target, Value};
use crate::operation::{Action, Assertion};
use crate::script::convert::in_words;

type Checked = Result<(), Box<EvalAltResult>>;

fn assert(session: &Session, context: &NativeCallContext, assertion: &Assertion) -> Checked {
    session
        .perform(context, Target::Run, Action::Assert(assertion))
        .map(|_| ())
}

/// Plain data in which a text made from an unknown value is unknown as a whole.
fn plain(context: &NativeCallContext, value: &Dynamic) -> Result<Value, Box<EvalAltResult>> {
    match unknown::inside(value) {
        Some(unknown) => Ok(Value::Unknown(unknown)),
        None => to_value(value).map_err(|why| misuse(context, why)),
    }
}

/// Registers the words.
pub fn register(engine: &mut Engine, session: &Arc<Session>) {
    let words = session.clone();
    engine.register_fn(
        "expect",
        move |context: NativeCallContext,
              what: &str,
              actual: Dynamic,
              wanted: Dynamic|
              -> Checked {
            let assertion = Assertion {
                word: "expect",
                claim: what.to_owned(),
                actual: plain(&context, &actual)?,
                wanted: plain(&context, &wanted)?,
            };
            assert(&words, &context, &assertion)
        },
    );
    let words = session.clone();
    engine.register_fn(
        "ensure",
        move |context: NativeCallContext, condition: Dynamic, message: &str| -> Checked {
            let actual = plain(&context, &condition)?;
            if !matches!(actual, Value::Bool(_) | Value::Unknown(_)) {
                let kind = in_words(&condition);
                return Err(misuse(
                    &context,
                    format!("ensure takes a condition (true or false), not {kind}"),
                ));
            }
            let assertion = Assertion {
                word: "ensure",
                claim: message.to_owned(),
                actual,
                wanted: Value::Bool(true),
            };
            assert(&words, &context, &assertion)
        },
    );
}
