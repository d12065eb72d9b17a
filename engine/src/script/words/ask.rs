//! `confirm`, `choose`, `input`, `manual`: a person's answer, asked once and journaled.

use std::sync::Arc;

use rhai::{Array, Dynamic, Engine, EvalAltResult, Map, NativeCallContext};

use super::super::convert::{to_dynamic, to_value};
use super::super::session::{Session, misuse};
use super::options::Options;
use crate::model::Target;
use crate::operation::{Action, Question, QuestionKind};

type Answered = Result<Dynamic, Box<EvalAltResult>>;

fn ask(
    session: &Session,
    context: &NativeCallContext,
    text: &str,
    name: Option<String>,
    kind: QuestionKind,
) -> Answered {
    let question = Question {
        text: text.to_owned(),
        name: name.unwrap_or_else(|| text.to_owned()),
        kind,
    };
    session
        .perform(context, Target::Run, Action::Ask(&question))
        .map(|value| to_dynamic(&value))
}

/// Registers the words.
pub fn register(engine: &mut Engine, session: &Arc<Session>) {
    simple(engine, session, "confirm", || QuestionKind::Confirm);
    simple(engine, session, "manual", || QuestionKind::Manual);
    let words = session.clone();
    engine.register_fn(
        "choose",
        move |context: NativeCallContext, text: &str, choices: Array| {
            choose(&words, &context, text, choices, Map::new())
        },
    );
    let words = session.clone();
    engine.register_fn(
        "choose",
        move |context: NativeCallContext, text: &str, choices: Array, options: Map| {
            choose(&words, &context, text, choices, options)
        },
    );
    let words = session.clone();
    engine.register_fn("input", move |context: NativeCallContext, text: &str| {
        input(&words, &context, text, Map::new())
    });
    let words = session.clone();
    engine.register_fn(
        "input",
        move |context: NativeCallContext, text: &str, options: Map| {
            input(&words, &context, text, options)
        },
    );
}

fn simple(
    engine: &mut Engine,
    session: &Arc<Session>,
    word: &'static str,
    kind: fn() -> QuestionKind,
) {
    let words = session.clone();
    engine.register_fn(
        word,
        move |context: NativeCallContext, text: &str| -> Answered {
            ask(&words, &context, text, None, kind())
        },
    );
    let words = session.clone();
    engine.register_fn(
        word,
        move |context: NativeCallContext, text: &str, options: Map| -> Answered {
            let mut options = Options::of(word, options);
            let name = options.text("name").map_err(|why| misuse(&context, why))?;
            options.end().map_err(|why| misuse(&context, why))?;
            ask(&words, &context, text, name, kind())
        },
    );
}

fn choose(
    session: &Session,
    context: &NativeCallContext,
    text: &str,
    choices: Array,
    options: Map,
) -> Answered {
    let mut options = Options::of("choose", options);
    let name = options.text("name").map_err(|why| misuse(context, why))?;
    options.end().map_err(|why| misuse(context, why))?;
    let choices: Result<Vec<String>, String> = choices
        .iter()
        .map(|choice| to_value(choice).map(|value| value.to_string()))
        .collect();
    let choices = choices.map_err(|why| misuse(context, why))?;
    if choices.is_empty() {
        return Err(misuse(context, "choose needs at least one choice"));
    }
    ask(session, context, text, name, QuestionKind::Choose(choices))
}

fn input(session: &Session, context: &NativeCallContext, text: &str, options: Map) -> Answered {
    let mut options = Options::of("input", options);
    let name = options.text("name").map_err(|why| misuse(context, why))?;
    let default = options
        .text("default")
        .map_err(|why| misuse(context, why))?;
    options.end().map_err(|why| misuse(context, why))?;
    ask(
        session,
        context,
        text,
        name,
        QuestionKind::Input { default },
    )
}
