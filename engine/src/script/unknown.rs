//! How a value that is unknown until the run travels through a script: operators and properties of it are
//! unknown too, text made from it carries a mark, and whatever would have to decide by it ends the plan there.

use std::cell::RefCell;

use rhai::{Array, Dynamic, Engine, EvalAltResult, ImmutableString, Map, Position};

use crate::model::Unknown;
use crate::operation::Failure;

use super::failure;

/// The name under which the interpreter's errors speak of an unknown value.
pub const TYPE_NAME: &str = "value unknown until the run";

/// The mark that an unknown value leaves in a text.
pub const MARK: &str = Unknown::MARK;

thread_local! {
    static LAST: RefCell<Option<Unknown>> = const { RefCell::new(None) };
}

/// Remembers an unknown value that an operator or a function of the script has met.
fn met(unknown: Unknown) -> Unknown {
    LAST.with(|last| *last.borrow_mut() = Some(unknown.clone()));
    unknown
}

/// The unknown value that this thread's script met last: what the interpreter stumbled over, when it says that a
/// condition is none. Its own errors name the type and not the value.
pub fn last_met() -> Option<Unknown> {
    LAST.with(|last| last.borrow().clone())
}

impl IntoIterator for Unknown {
    type Item = Result<Dynamic, Box<EvalAltResult>>;
    type IntoIter = std::iter::Once<Self::Item>;

    /// Going through an unknown value is deciding by it.
    fn into_iter(self) -> Self::IntoIter {
        std::iter::once(Err(failure::raise(Failure::PlanEnds(self), Position::NONE)))
    }
}

/// The unknown in a value: itself, inside a collection, or the mark in a text.
pub fn inside(dynamic: &Dynamic) -> Option<Unknown> {
    if let Some(unknown) = dynamic.read_lock::<Unknown>() {
        return Some(unknown.clone());
    }
    if let Some(text) = dynamic.read_lock::<ImmutableString>() {
        return in_text(&text);
    }
    if let Some(items) = dynamic.read_lock::<Array>() {
        return items.iter().find_map(inside);
    }
    dynamic
        .read_lock::<Map>()
        .and_then(|entries| entries.values().find_map(inside))
}

/// The unknown in a text.
pub fn in_text(text: &str) -> Option<Unknown> {
    text.contains(MARK)
        .then(|| Unknown::because("a text made from a value that is unknown until the run"))
}

/// Functions that only make a value of their arguments: of an unknown one they make an unknown one, in whatever place
/// it stands. Of all others only the receiver counts; a word that acts must not be passed over because of an argument.
const PURE: &[&str] = &[
    "abs",
    "at",
    "captures",
    "join",
    "lines",
    "matches",
    "max",
    "min",
    "parse_float",
    "parse_int",
    "parse_json",
    "parse_yaml",
    "quote",
    "seconds",
    "to_float",
    "to_int",
    "to_json",
    "trimmed",
    "words",
];

/// Teaches the engine about unknown values. Harmless in a live run, where there are none; the comparison of texts
/// is taken from the interpreter's fast path only for a dry run (`watch_texts`).
pub fn register(engine: &mut Engine, watch_texts: bool) {
    engine.register_type_with_name::<Unknown>(TYPE_NAME);
    engine.register_fn("to_string", |unknown: &mut Unknown| unknown.to_string());
    engine.register_fn("to_debug", |unknown: &mut Unknown| unknown.to_string());
    engine.register_indexer_get(|unknown: &mut Unknown, _: ImmutableString| met(unknown.clone()));
    engine.register_indexer_get(|unknown: &mut Unknown, _: i64| met(unknown.clone()));
    engine.register_iterator_result::<Unknown, Dynamic>();
    for operator in ["==", "!=", "<", "<=", ">", ">="] {
        engine.register_fn(operator, |left: Unknown, _: Dynamic| met(left));
        engine.register_fn(operator, |_: Dynamic, right: Unknown| met(right));
        engine.register_fn(operator, |left: Unknown, _: Unknown| met(left));
    }
    #[allow(deprecated)]
    // the only hook for calls on a type that has no such function; volatile, so the version is pinned
    engine.on_missing_function(|name, arguments, is_method, _| {
        let operator = !name.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        let considered = if operator || PURE.contains(&name) {
            arguments.len()
        } else {
            usize::from(is_method)
        };
        Ok(arguments[..considered.min(arguments.len())]
            .iter()
            .find_map(|argument| {
                argument
                    .read_lock::<Unknown>()
                    .map(|unknown| Dynamic::from(met(unknown.clone())))
            }))
    });
    if watch_texts {
        super::unknown_texts::watch(engine, super::engine::bare);
    }
}
