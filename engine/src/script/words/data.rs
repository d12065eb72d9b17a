//! Values: parameters, the clock, secrets, and functions of text that runbooks need and Rhai lacks.

use std::sync::Arc;

use rhai::{Array, Dynamic, Engine, EvalAltResult, NativeCallContext};

use super::super::convert::{to_dynamic, to_value};
use super::super::failure::CaughtError;
use super::super::session::{Session, misuse};
use super::super::unknown;
use super::shell::{Raw, quote};
use crate::model::{Target, Value};
use crate::operation::{Action, ReadClock, SecretUse};

type Evaluated = Result<Dynamic, Box<EvalAltResult>>;

/// Registers the words.
pub fn register(engine: &mut Engine, session: &Arc<Session>) {
    parameters(engine, session);
    recorded(engine, session);
    shell_text(engine);
    parsing(engine);
    caught(engine);
}

fn parameters(engine: &mut Engine, session: &Arc<Session>) {
    let words = session.clone();
    engine.register_fn(
        "param",
        move |context: NativeCallContext, name: &str| -> Evaluated {
            let parameters = &words.parts.parameters;
            match parameters.get(name) {
                Some(parameter) => Ok(to_dynamic(&parameter.value)),
                None => {
                    let near =
                        crate::text::suggest::closest(name, parameters.keys().map(String::as_str));
                    let near = near
                        .map(|near| format!("; did you mean `{near}`?"))
                        .unwrap_or_default();
                    Err(misuse(
                        &context,
                        format!("the runbook has no parameter `{name}`{near}"),
                    ))
                }
            }
        },
    );
}

/// What differs from one execution to the next, and is therefore an operation.
fn recorded(engine: &mut Engine, session: &Arc<Session>) {
    let words = session.clone();
    engine.register_fn("now", move |context: NativeCallContext| -> Evaluated {
        words
            .perform(&context, Target::Run, Action::Observe(&ReadClock))
            .map(|value| to_dynamic(&value))
    });
    let words = session.clone();
    engine.register_fn(
        "secret",
        move |context: NativeCallContext, name: &str| -> Evaluated {
            let value = words
                .parts
                .secret_source
                .secret(name)
                .map_err(|why| misuse(&context, why))?;
            words
                .parts
                .secrets
                .add(name, &value)
                .map_err(|error| misuse(&context, error.to_string()))?;
            // The use is recorded, the value is not: a resumed run asks for it again.
            let usage = SecretUse {
                name: name.to_owned(),
            };
            words.perform(&context, Target::Run, Action::Observe(&usage))?;
            Ok(value.into())
        },
    );
}

fn shell_text(engine: &mut Engine) {
    engine.register_type_with_name::<Raw>("raw shell text");
    engine.register_fn("raw", |text: &str| Raw(text.to_owned()));
    engine.register_fn("to_string", |raw: &mut Raw| raw.0.clone());
    engine.register_fn(
        "quote",
        |context: NativeCallContext, value: Dynamic| -> Result<String, Box<EvalAltResult>> {
            quote(&value).map_err(|why| misuse(&context, why))
        },
    );
}

/// Applies a function of text, unless the text is not known yet.
fn known(
    context: &NativeCallContext,
    text: &str,
    read: impl FnOnce(&str) -> Result<Dynamic, String>,
) -> Evaluated {
    match unknown::in_text(text) {
        Some(unknown) => Ok(Dynamic::from(unknown)),
        None => read(text).map_err(|why| misuse(context, why)),
    }
}

fn parsing(engine: &mut Engine) {
    engine.register_fn(
        "parse_json",
        |context: NativeCallContext, text: &str| -> Evaluated {
            known(&context, text, |text| {
                let json: serde_json::Value = serde_json::from_str(text).map_err(|error| {
                    format!("not JSON: {error}; it begins with {:?}", beginning(text))
                })?;
                Ok(to_dynamic(&Value::from(json)))
            })
        },
    );
    engine.register_fn(
        "parse_yaml",
        |context: NativeCallContext, text: &str| -> Evaluated {
            known(&context, text, |text| {
                crate::text::yaml::get_yaml(text)
                    .map(|value| to_dynamic(&value))
                    .map_err(|error| error.to_string())
            })
        },
    );
    engine.register_fn(
        "to_json",
        |context: NativeCallContext, value: Dynamic| -> Evaluated {
            to_value(&value)
                .map(|value| value.canonical().into())
                .map_err(|why| misuse(&context, why))
        },
    );
    engine.register_fn(
        "lines",
        |context: NativeCallContext, text: &str| -> Evaluated {
            known(&context, text, |text| {
                Ok(text
                    .lines()
                    .map(|line| Dynamic::from(line.to_owned()))
                    .collect::<Array>()
                    .into())
            })
        },
    );
    engine.register_fn(
        "words",
        |context: NativeCallContext, text: &str| -> Evaluated {
            known(&context, text, |text| {
                Ok(text
                    .split_whitespace()
                    .map(|word| Dynamic::from(word.to_owned()))
                    .collect::<Array>()
                    .into())
            })
        },
    );
    engine.register_fn(
        "trimmed",
        |context: NativeCallContext, text: &str| -> Evaluated {
            known(&context, text, |text| Ok(text.trim().to_owned().into()))
        },
    );
    engine.register_fn(
        "matches",
        |context: NativeCallContext, text: &str, pattern: &str| -> Evaluated {
            known(&context, text, |text| {
                Ok(regex(pattern)?.is_match(text).into())
            })
        },
    );
    engine.register_fn(
        "captures",
        |context: NativeCallContext, text: &str, pattern: &str| -> Evaluated {
            known(&context, text, |text| {
                let regex = regex(pattern)?;
                let Some(captures) = regex.captures(text) else {
                    return Ok(Dynamic::UNIT);
                };
                let group = |group: Option<regex::Match<'_>>| {
                    group.map_or(Dynamic::UNIT, |m| m.as_str().to_owned().into())
                };
                Ok(captures.iter().map(group).collect::<Array>().into())
            })
        },
    );
    engine.register_fn(
        "at",
        |context: NativeCallContext, value: Dynamic, path: Dynamic| -> Evaluated {
            at(&value, &path).map_err(|why| misuse(&context, why))
        },
    );
    engine.register_fn(
        "join",
        |context: NativeCallContext, items: Array, between: &str| -> Evaluated {
            let texts: Result<Vec<String>, String> = items
                .iter()
                .map(|item| to_value(item).map(|value| value.to_string()))
                .collect();
            texts
                .map(|texts| texts.join(between).into())
                .map_err(|why| misuse(&context, why))
        },
    );
    engine.register_fn(
        "seconds",
        |context: NativeCallContext, value: Dynamic| -> Evaluated {
            super::options::duration(&value)
                .map(|duration| Dynamic::from(duration.as_secs() as i64))
                .map_err(|why| misuse(&context, why))
        },
    );
    engine.register_fn("cell", |value: Dynamic| -> String {
        // For tables: what a value looks like to a reader.
        to_value(&value)
            .map(|value| value.to_string())
            .unwrap_or_default()
    });
}

/// The value at a path of keys (a text with dots, or an array where keys have dots in them); () where there is none.
fn at(value: &Dynamic, path: &Dynamic) -> Result<Dynamic, String> {
    if let Some(unknown) = unknown::inside(path) {
        return Ok(Dynamic::from(unknown));
    }
    let keys: Vec<String> = match to_value(path)? {
        Value::Text(path) => path.split('.').map(str::to_owned).collect(),
        Value::List(keys) => keys.iter().map(ToString::to_string).collect(),
        _ => {
            return Err(
                "at: the path is a text such as \"spec.nodeName\", or an array of keys".into(),
            );
        }
    };
    let mut place = value.flatten_clone();
    for key in keys {
        if place.is::<crate::model::Unknown>() {
            return Ok(place);
        }
        let inner = place
            .read_lock::<rhai::Map>()
            .and_then(|map| map.get(key.as_str()).cloned());
        match inner {
            Some(inner) => place = inner,
            None => return Ok(Dynamic::UNIT),
        }
    }
    Ok(place)
}

fn regex(pattern: &str) -> Result<regex::Regex, String> {
    regex::RegexBuilder::new(pattern)
        .multi_line(true)
        .size_limit(1 << 20)
        .build()
        .map_err(|error| format!("not a regular expression: {error}"))
}

fn beginning(text: &str) -> String {
    text.chars().take(60).collect()
}

fn caught(engine: &mut Engine) {
    engine.register_type_with_name::<CaughtError>("error");
    engine.register_fn("to_string", |error: &mut CaughtError| error.to_string());
    engine.register_fn("to_debug", |error: &mut CaughtError| error.to_string());
    engine.register_get("message", |error: &mut CaughtError| {
        error.report.message.clone()
    });
    engine.register_get("detail", |error: &mut CaughtError| {
        error.report.detail.clone().unwrap_or_default()
    });
    engine.register_get("unreachable", |error: &mut CaughtError| error.unreachable);
    engine.register_get("target", |error: &mut CaughtError| {
        error
            .report
            .target
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default()
    });
}
