//! Failures through the interpreter and back, with the place in the text where they arose.

use std::fmt;

use rhai::{Dynamic, EvalAltResult, Position};

use crate::model::{SourcePosition, Unknown};
use crate::operation::{Failure, Report};

/// How a script ended.
#[derive(Debug)]
pub enum ScriptEnd {
    /// At its end.
    Done,
    /// By `finish(reason)`.
    Finished(String),
    /// By a failure, with the places in the text that led there, innermost first.
    Failed(Box<Failure>, Vec<Place>),
}

/// A place in the call chain of an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where.
    pub position: SourcePosition,
    /// The script function called there, if it is a call.
    pub function: Option<String>,
    /// The step and branch in which the script stopped there, in words.
    pub within: Option<String>,
}

/// What a script sees in `catch (error)`.
#[derive(Clone, Debug)]
pub struct CaughtError {
    /// What happened.
    pub report: Report,
    /// Whether the target could not be reached.
    pub unreachable: bool,
}

impl fmt::Display for CaughtError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.report.message)
    }
}

/// What ends the script in a way that it cannot catch.
#[derive(Clone, Debug)]
pub enum Stop {
    /// A failure that is not the script's to handle.
    Failure(Failure),
    /// `finish(reason)`.
    Finish(String),
}

/// The error that carries a failure through the interpreter.
pub fn raise(failure: Failure, position: Position) -> Box<EvalAltResult> {
    match failure {
        Failure::Failed(report) => caught(report, false, position),
        Failure::Unreachable(report) => caught(report, true, position),
        other => stop(Stop::Failure(other), position),
    }
}

fn caught(report: Report, unreachable: bool, position: Position) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(
        Dynamic::from(CaughtError {
            report,
            unreachable,
        }),
        position,
    )
    .into()
}

/// The error that ends the script without being catchable.
pub fn stop(stop: Stop, position: Position) -> Box<EvalAltResult> {
    EvalAltResult::ErrorTerminated(Dynamic::from(stop), position).into()
}

/// What an error of the interpreter means.
pub fn understand(error: &EvalAltResult) -> Stop {
    let innermost = innermost(error);
    match innermost {
        EvalAltResult::ErrorTerminated(token, _) => token
            .read_lock::<Stop>()
            .map(|stop| stop.clone())
            .unwrap_or(Stop::Failure(Failure::Interrupted)),
        EvalAltResult::ErrorRuntime(thrown, _) => Stop::Failure(thrown_failure(thrown)),
        other => Stop::Failure(interpreter_failure(other)),
    }
}

fn thrown_failure(thrown: &Dynamic) -> Failure {
    match thrown.read_lock::<CaughtError>() {
        Some(error) if error.unreachable => Failure::Unreachable(error.report.clone()),
        Some(error) => Failure::Failed(error.report.clone()),
        None => Failure::failed(format!("the runbook threw: {thrown}")),
    }
}

/// An error that the interpreter itself raised: a wrong type, a missing function, a limit. If a value unknown until
/// the run is what it stumbled over, it is no error of the script: the plan ends there.
fn interpreter_failure(error: &EvalAltResult) -> Failure {
    let text = strip_position(error);
    // The interpreter says the one or the other name of the type, depending on where it stumbles.
    let names = [super::unknown::TYPE_NAME, std::any::type_name::<Unknown>()];
    if names.iter().any(|name| text.contains(name)) {
        return Failure::PlanEnds(super::unknown::last_met().unwrap_or_else(|| {
            Unknown::because("the script decides by a value that is unknown until the run")
        }));
    }
    let (text, missing) = match error {
        EvalAltResult::ErrorFunctionNotFound(signature, _) => without_function(signature),
        EvalAltResult::ErrorPropertyNotFound(name, _) => {
            (format!("there is no `{name}` in this map"), false)
        }
        EvalAltResult::ErrorTooManyOperations(_) => {
            ("the script takes too many steps".into(), false)
        }
        EvalAltResult::ErrorStackOverflow(_) => ("calls are nested too deeply".into(), false),
        _ => (text, false),
    };
    let hint = match error {
        EvalAltResult::ErrorPropertyNotFound(..) => Some(
            "at(map, \"a.b\") gives () where there is none, map.keys() the names that there are",
        ),
        EvalAltResult::ErrorFunctionNotFound(..) if missing => Some(
            "() stands for what was not there: look with `if x == ()`, or give another value with `x ?? other`",
        ),
        EvalAltResult::ErrorTooManyOperations(_) => Some(
            "a loop that never ends? a runbook may take 20 million steps of the interpreter in one branch",
        ),
        EvalAltResult::ErrorStackOverflow(_) => {
            Some("a function that calls itself for ever? 100 levels are allowed")
        }
        EvalAltResult::ErrorDataTooLarge(..) => {
            Some("work on large data with a command on the target instead of in the script")
        }
        EvalAltResult::ErrorDataRace(..) => Some(
            "call the function as f(value) instead of value.f() where a closure uses the same value",
        ),
        _ => None,
    };
    let mut report = Report::new(text);
    report.hint = hint.map(str::to_owned);
    Failure::Failed(report)
}

/// A call that fits no function, in words: `+ ((), i64)`. Also whether () is among the values.
fn without_function(signature: &str) -> (String, bool) {
    let (name, types) = signature.split_once(" (").unwrap_or((signature, ")"));
    let types: Vec<&str> = types
        .strip_suffix(')')
        .unwrap_or(types)
        .split(", ")
        .filter(|kind| !kind.is_empty())
        .map(kind_of_value)
        .collect();
    let missing = types.contains(&NOTHING);
    let operator = !name.contains(|c: char| c.is_alphanumeric() || c == '_');
    let text = match types.as_slice() {
        [] => format!("there is no function `{name}` without arguments"),
        [one] if operator => format!("`{name}` does not go with {one}"),
        [one, other] if operator => format!("`{name}` does not go with {one} and {other}"),
        [one] => format!("there is no `{name}` for {one}"),
        [one, more @ ..] => format!("there is no `{name}` for {one} with {}", more.join(", ")),
    };
    (text, missing)
}

const NOTHING: &str = "()";

/// A type of the interpreter as an author knows it.
fn kind_of_value(name: &str) -> &str {
    match name {
        "()" => NOTHING,
        "i64" => "a number",
        "f64" => "a fraction",
        "bool" => "true or false",
        "char" => "a character",
        "array" => "an array",
        "map" => "a map",
        "host" => "a host",
        "pod" => "a pod",
        "file" => "a file",
        "Fn" => "a closure",
        name if name.contains("String") || name == "string" => "a text",
        other => other,
    }
}

/// The interpreter appends `(line 3, position 5)`; we show the place ourselves.
fn strip_position(error: &EvalAltResult) -> String {
    let text = error.to_string();
    match text.rfind(" (line ") {
        Some(cut) if text.ends_with(')') => text[..cut].to_owned(),
        _ => text,
    }
}

fn innermost(error: &EvalAltResult) -> &EvalAltResult {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _)
        | EvalAltResult::ErrorInModule(_, inner, _) => innermost(inner),
        other => other,
    }
}

/// The places of an error, innermost first. `main` names the script, whose errors carry no source.
pub fn places(error: &EvalAltResult, main: &str) -> Vec<Place> {
    let mut found = Vec::new();
    collect(error, main, &mut found);
    found.dedup();
    found
}

/// The innermost place of an error that stands in the script itself: what its reader looks for, where a module of
/// the library is in between.
pub fn place_in_script(error: &EvalAltResult, main: &str) -> Option<SourcePosition> {
    let places = places(error, main);
    let own = places.iter().find(|place| place.position.file == main);
    own.or(places.first()).map(|place| place.position.clone())
}

fn collect(error: &EvalAltResult, source: &str, found: &mut Vec<Place>) {
    match error {
        EvalAltResult::ErrorInFunctionCall(name, inner_source, inner, position) => {
            let inside = if inner_source.is_empty() {
                source
            } else {
                inner_source
            };
            collect(inner, inside, found);
            let function = (!name.starts_with(rhai_anonymous())).then(|| name.clone());
            push(found, source, *position, function);
        }
        EvalAltResult::ErrorInModule(name, inner, position) => {
            collect(inner, name, found);
            push(found, source, *position, None);
        }
        other => push(found, source, other.position(), None),
    }
}

fn rhai_anonymous() -> &'static str {
    "anon$"
}

fn push(found: &mut Vec<Place>, file: &str, position: Position, function: Option<String>) {
    if let (Some(line), column) = (position.line(), position.position().unwrap_or(1)) {
        let position = SourcePosition {
            file: file.to_owned(),
            line: line as u32,
            column: column as u32,
        };
        found.push(Place {
            position,
            function,
            within: None,
        });
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failure(failure) => failure.fmt(f),
            Self::Finish(reason) => write!(f, "finished: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_fit_nothing_are_told_in_words() {
        for (signature, wanted) in [
            (
                "+ ((), i64)",
                ("`+` does not go with () and a number", true),
            ),
            (
                "probe (&str | ImmutableString | String, array)",
                ("there is no `probe` for a text with an array", false),
            ),
            (
                "nodee ()",
                ("there is no function `nodee` without arguments", false),
            ),
            ("- (map)", ("`-` does not go with a map", false)),
            ("len (i64)", ("there is no `len` for a number", false)),
        ] {
            let (text, missing) = without_function(signature);
            assert_eq!((text.as_str(), missing), wanted);
        }
    }
}
