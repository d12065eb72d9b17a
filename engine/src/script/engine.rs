//! The interpreter as runbooks get it: strict, bounded, without a clock of its own.

use std::sync::Arc;

use rhai::{Engine, OptimizationLevel};

use super::modules::PinnedModules;
use super::session::Session;
use super::sources::SourceSet;
use super::{unknown, words};

/// Nested calls of script functions. Each takes up to about 100 KB of stack; [`STACK`] is sized for this.
pub const MAX_CALL_LEVELS: usize = 100;
/// Steps of the interpreter in one branch, about ten seconds of an endless loop.
const MAX_OPERATIONS: u64 = 20_000_000;
/// Bytes in one string: 16 MiB.
const MAX_STRING: usize = 16 << 20;
/// Items in one array or map.
const MAX_ITEMS: usize = 200_000;
/// Stack of every thread that evaluates a script, in bytes: 64 MiB of address space, touched only as needed.
pub const STACK: usize = 64 << 20;

/// Functions of the interpreter that would make a run differ from its replay, and what to use instead.
pub const REMOVED: &[(&str, &str)] = &[
    (
        "eval",
        "a runbook is reviewed as text; text made at run time cannot be",
    ),
    (
        "switch",
        "`switch` cannot tell a dry run that its value is not known yet; use if / else",
    ),
];

/// Functions of the interpreter that runbooks do without, and why.
pub const CLOCKS: &[(&str, &str); 2] = &[
    (
        "timestamp",
        "use now(), which is recorded, so that a resume tells the same time",
    ),
    (
        "sleep",
        "use wait_until(…), which says for what and until when, and which a resume goes on with",
    ),
];

/// An engine with every host word, over the pinned texts.
pub fn engine(sources: Arc<SourceSet>, session: &Arc<Session>, dry_run: bool) -> Engine {
    let mut engine = bare();
    engine.set_module_resolver(PinnedModules::new(sources));
    unknown::register(&mut engine, dry_run);
    words::register(&mut engine, session);
    engine
}

/// The language with every word and nothing behind them: enough to check.
pub fn for_checking() -> Engine {
    let mut engine = bare();
    unknown::register(&mut engine, false);
    words::register_signatures(&mut engine);
    engine
}

/// The names of the words, for suggestions.
pub fn word_names() -> Vec<String> {
    let engine = for_checking();
    let mut names = engine.collect_fn_metadata(
        None,
        |function| Some(function.metadata.name.to_string()),
        true,
    );
    names.sort();
    names.dedup();
    names
}

/// The language without the words' state: enough to parse.
pub fn bare() -> Engine {
    crate::text::closures::fix_names();
    let mut engine = Engine::new();
    engine.set_optimization_level(OptimizationLevel::None);
    engine.set_strict_variables(true);
    engine.set_fail_on_invalid_map_property(true);
    engine.set_max_call_levels(MAX_CALL_LEVELS);
    engine.set_max_expr_depths(64, 64);
    engine.set_max_operations(MAX_OPERATIONS);
    engine.set_max_string_size(MAX_STRING);
    engine.set_max_array_size(MAX_ITEMS);
    engine.set_max_map_size(MAX_ITEMS);
    engine.set_max_variables(10_000);
    engine.set_max_modules(200);
    for (symbol, _) in REMOVED {
        engine.disable_symbol(*symbol);
    }
    // Rhai reserves these for later: `default` is a key of a parameter's description, `var` a word of hosts.
    #[allow(deprecated)] // volatile upstream, so the version is pinned
    engine.on_parse_token(|token, _, _| match token {
        rhai::Token::Reserved(word) if matches!(word.as_str(), "default" | "var") => {
            rhai::Token::Identifier(word)
        }
        other => other,
    });
    // The check finds them where they are called by name; here they are refused however they are called.
    let refused = |(name, why): (&str, &str)| -> Result<(), Box<rhai::EvalAltResult>> {
        let why = format!("`{name}` is not part of the language: {why}");
        let failure = crate::operation::Failure::Misuse(why);
        Err(super::failure::raise(failure, rhai::Position::NONE))
    };
    let [timestamp, sleep] = *CLOCKS;
    engine.register_fn("timestamp", move || refused(timestamp));
    engine.register_fn("sleep", move |_: i64| refused(sleep));
    engine.register_fn("sleep", move |_: f64| refused(sleep));
    words::syntax::register_syntax_only(&mut engine);
    engine
}
