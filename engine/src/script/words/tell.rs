//! `note`, `table`, `finish`: words for the reader.

use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, NativeCallContext};

use super::super::convert::to_value;
use super::super::failure::{self, Stop};
use super::super::session::{Session, misuse};
use crate::model::{Target, Value};
use crate::operation::{Action, Telling};

type Told = Result<(), Box<EvalAltResult>>;

fn tell(session: &Session, context: &NativeCallContext, telling: &Telling) -> Told {
    session
        .perform(context, Target::Run, Action::Tell(telling))
        .map(|_| ())
}

fn note(session: &Session, context: &NativeCallContext, text: String) -> Told {
    tell(
        session,
        context,
        &Telling {
            word: "note",
            text,
            rows: Value::Null,
        },
    )
}

/// Registers the words.
pub fn register(engine: &mut Engine, session: &Arc<Session>) {
    let words = session.clone();
    engine.register_fn(
        "note",
        move |context: NativeCallContext, text: Dynamic| -> Told {
            let text = to_value(&text)
                .map_err(|why| misuse(&context, why))?
                .to_string();
            note(&words, &context, text)
        },
    );
    let words = session.clone();
    engine.register_fn(
        "table",
        move |context: NativeCallContext, title: &str, rows: Dynamic| -> Told {
            let rows = to_value(&rows).map_err(|why| misuse(&context, why))?;
            let tabular = match &rows {
                Value::List(rows) => rows
                    .iter()
                    .all(|row| matches!(row, Value::Map(_) | Value::Unknown(_))),
                Value::Unknown(_) => true,
                _ => false,
            };
            if !tabular {
                return Err(misuse(
                    &context,
                    "table takes an array of maps: one map a row, its keys are the columns",
                ));
            }
            tell(
                &words,
                &context,
                &Telling {
                    word: "table",
                    text: title.to_owned(),
                    rows,
                },
            )
        },
    );
    engine.register_fn(
        "finish",
        |context: NativeCallContext, reason: &str| -> Told {
            Err(failure::stop(
                Stop::Finish(reason.to_owned()),
                context.call_position(),
            ))
        },
    );
    // What a script prints is a note, so that it is redacted, recorded and ordered like everything else.
    let words = session.clone();
    engine.register_fn(
        "print",
        move |context: NativeCallContext, text: Dynamic| -> Told {
            let text = to_value(&text)
                .map_err(|why| misuse(&context, why))?
                .to_string();
            note(&words, &context, text)
        },
    );
}
