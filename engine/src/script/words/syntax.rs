//! The words that are syntax: `runbook #{…}`, `step "title" {…}`, ``sh `…` `` and `kube`.

use std::sync::Arc;

use rhai::{Dynamic, Engine, ParseErrorType};

use super::super::failure;
use super::super::session::Session;
use super::{kube, shell, step};
use crate::operation::Failure;

/// The syntax alone: enough to parse and check.
pub fn register_syntax_only(engine: &mut Engine) {
    register(engine, None);
}

/// The syntax with what it does.
pub fn register(engine: &mut Engine, session: Option<Arc<Session>>) {
    let registered = [
        header(engine),
        step(engine, session.clone()),
        quoting(engine),
        cluster(engine, session),
    ];
    for result in registered {
        result.expect("the symbols of our own syntax are valid identifiers");
    }
}

type Registered = Result<(), Box<ParseErrorType>>;

fn done(result: Result<&mut Engine, rhai::ParseError>) -> Registered {
    result.map(|_| ()).map_err(|error| error.0)
}

fn header(engine: &mut Engine) -> Registered {
    // The header was read before the script runs; evaluating it has no effect.
    done(engine.register_custom_syntax(["runbook", "$expr$"], false, |_, _| Ok(Dynamic::UNIT)))
}

fn step(engine: &mut Engine, session: Option<Arc<Session>>) -> Registered {
    done(engine.register_custom_syntax(
        ["step", "$expr$", "$block$"],
        false,
        move |context, inputs| match &session {
            Some(session) => step::step(session, context, inputs),
            None => Err(not_running(inputs[0].position())),
        },
    ))
}

fn quoting(engine: &mut Engine) -> Registered {
    done(engine.register_custom_syntax(["sh", "$expr$"], false, shell::quoted))
}

fn cluster(engine: &mut Engine, session: Option<Arc<Session>>) -> Registered {
    done(
        engine.register_custom_syntax(["kube"], false, move |_, _| match &session {
            Some(_) => Ok(Dynamic::from(kube::Kube)),
            None => Err(not_running(rhai::Position::NONE)),
        }),
    )
}

fn not_running(position: rhai::Position) -> Box<rhai::EvalAltResult> {
    failure::raise(
        Failure::Misuse("this text is only being checked".into()),
        position,
    )
}
