//! What the header says of a parameter, and whether a value fits it.

use std::time::Duration;

use crate::model::Value;
use crate::text::{duration, suggest};

/// What a parameter may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParameterType {
    /// Any text.
    Text,
    /// A whole number.
    Int,
    /// `true` or `false`.
    Bool,
    /// A duration such as `90s`. Scripts get it as text in its canonical form (`1m30s`), which every word that takes a
    /// duration reads; `seconds(…)` makes a number of it.
    Duration,
    /// One of these texts.
    Choice(Vec<String>),
}

/// One parameter of the header.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterSpec {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: ParameterType,
    /// Its value if none is given; without one it must be given.
    pub default: Option<Value>,
    /// What it means.
    pub help: String,
    /// For texts: a regular expression that the whole value must match.
    pub pattern: Option<String>,
    /// For numbers: the smallest and largest allowed.
    pub range: (Option<i64>, Option<i64>),
}

/// What is wrong with a header's description of a parameter, or with a value for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SpecError {
    /// What is wrong.
    pub message: String,
    /// The keys of the header that lead to it, from the outermost inwards.
    pub path: Vec<String>,
}

/// What is wrong with one parameter's description, and with which key of it.
struct Wrong {
    message: String,
    key: Option<String>,
}

impl From<String> for Wrong {
    fn from(message: String) -> Self {
        Self { message, key: None }
    }
}

impl From<&str> for Wrong {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

const KEYS: [&str; 8] = [
    "type", "default", "help", "choices", "pattern", "min", "max", "required",
];
const TYPES: [&str; 5] = ["string", "int", "bool", "duration", "choice"];

/// The parameters that a header describes, in the order of their names.
pub fn specs(params: &Value) -> Result<Vec<ParameterSpec>, SpecError> {
    let Value::Map(entries) = params else {
        return Err(SpecError {
            message: "`params` must be a map: params: #{ name: #{ default: … } }".into(),
            path: vec!["params".into()],
        });
    };
    entries
        .iter()
        .map(|(name, description)| {
            let described = Described { name, description };
            described.spec().map_err(|wrong| SpecError {
                message: format!("parameter `{name}`: {}", wrong.message),
                path: ["params".to_owned(), name.clone()]
                    .into_iter()
                    .chain(wrong.key)
                    .collect(),
            })
        })
        .collect()
}

/// A parameter as the header describes it.
struct Described<'a> {
    name: &'a str,
    description: &'a Value,
}

impl Described<'_> {
    fn spec(&self) -> Result<ParameterSpec, Wrong> {
        let name = self.name;
        if !is_identifier(name) {
            return Err(
                "its name must be letters, digits and `_`, as it becomes RUNBOOK_VAR_name".into(),
            );
        }
        let Value::Map(keys) = self.description else {
            let message = format!("it must be a map: {name}: #{{ default: …, help: \"…\" }}");
            return Err(message.into());
        };
        if let Some(stranger) = keys.keys().find(|key| !KEYS.contains(&key.as_str())) {
            let hint = suggest::hint(stranger, KEYS).unwrap_or_default();
            return Err(Wrong {
                message: format!("there is no key `{stranger}`; {hint}"),
                key: Some(stranger.clone()),
            });
        }
        let mut spec = ParameterSpec {
            name: name.to_owned(),
            kind: self.kind()?,
            default: None,
            help: self.text("help")?.unwrap_or_default(),
            pattern: self.text("pattern")?,
            range: (self.number("min")?, self.number("max")?),
        };
        self.check_limits(&spec)?;
        let default = self
            .description
            .get("default")
            .filter(|default| **default != Value::Null);
        spec.default = match (default, self.flag("required")?) {
            (Some(_), Some(true)) => {
                return Err("a parameter with a default need not be given: leave out `required` or `default`".into());
            }
            (Some(default), _) => Some(spec.accept(default).map_err(|why| Wrong {
                message: format!("its default {why}"),
                key: Some("default".into()),
            })?),
            // Without a value, scripts find `()`.
            (None, Some(false)) => Some(Value::Null),
            (None, _) => None,
        };
        Ok(spec)
    }

    fn check_limits(&self, spec: &ParameterSpec) -> Result<(), String> {
        if let Some(pattern) = &spec.pattern {
            if spec.kind != ParameterType::Text {
                return Err("`pattern` is for texts (type \"string\")".into());
            }
            whole(pattern)
                .map_err(|error| format!("`pattern` is not a regular expression: {error}"))?;
        }
        if spec.range != (None, None) && spec.kind != ParameterType::Int {
            return Err("`min` and `max` are for numbers (type \"int\")".into());
        }
        match spec.range {
            (Some(min), Some(max)) if min > max => {
                Err(format!("`min` ({min}) is larger than `max` ({max})"))
            }
            _ => Ok(()),
        }
    }

    fn text(&self, key: &str) -> Result<Option<String>, String> {
        match self.description.get(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text.clone())),
            Some(_) => Err(format!("`{key}` must be a text")),
        }
    }

    fn number(&self, key: &str) -> Result<Option<i64>, String> {
        match self.description.get(key) {
            None => Ok(None),
            Some(Value::Int(number)) => Ok(Some(*number)),
            Some(_) => Err(format!("`{key}` must be a whole number")),
        }
    }

    fn flag(&self, key: &str) -> Result<Option<bool>, String> {
        match self.description.get(key) {
            None => Ok(None),
            Some(Value::Bool(truth)) => Ok(Some(*truth)),
            Some(_) => Err(format!("`{key}` must be true or false")),
        }
    }

    fn choices(&self) -> Result<Option<Vec<String>>, String> {
        let wrong = || "`choices` must be an array of different texts".to_owned();
        let items = match self.description.get("choices") {
            None => return Ok(None),
            Some(Value::List(items)) => items,
            Some(_) => return Err(wrong()),
        };
        let mut texts: Vec<String> = Vec::new();
        for item in items {
            match item.as_text() {
                Some(text) if !texts.iter().any(|known| known == text) => {
                    texts.push(text.to_owned())
                }
                _ => return Err(wrong()),
            }
        }
        Ok(Some(texts))
    }

    /// The type that is given, or the one that the choices or the default have.
    fn kind(&self) -> Result<ParameterType, String> {
        let given = self.text("type")?;
        match (
            given.as_deref(),
            self.choices()?,
            self.description.get("default"),
        ) {
            (Some("choice") | None, Some(choices), _) if !choices.is_empty() => {
                Ok(ParameterType::Choice(choices))
            }
            (Some("choice"), ..) | (None, Some(_), _) => {
                Err("a choice needs `choices`: an array of texts".into())
            }
            (Some(other), Some(_), _) if TYPES.contains(&other) => Err(format!(
                "`choices` are for the type \"choice\", not {other:?}"
            )),
            (Some("string"), ..) => Ok(ParameterType::Text),
            (Some("int"), ..) | (None, None, Some(Value::Int(_))) => Ok(ParameterType::Int),
            (Some("bool"), ..) | (None, None, Some(Value::Bool(_))) => Ok(ParameterType::Bool),
            (Some("duration"), ..) => Ok(ParameterType::Duration),
            (None, None, None | Some(Value::Text(_) | Value::Null)) => Ok(ParameterType::Text),
            (None, None, Some(other)) => Err(format!(
                "its default must be a text, a whole number, or true or false, not {}",
                shown(other)
            )),
            (Some(other), ..) => {
                let near = meant(other)
                    .map(|near| format!("; did you mean {near:?}?"))
                    .unwrap_or_default();
                Err(format!(
                    "its type {other:?} is none of {}{near}",
                    TYPES.join(", ")
                ))
            }
        }
    }
}

/// The type that a person meant who wrote another language's word for it.
fn meant(word: &str) -> Option<&'static str> {
    match word.to_lowercase().as_str() {
        "text" | "str" => Some("string"),
        "integer" | "number" => Some("int"),
        "boolean" | "flag" => Some("bool"),
        "enum" => Some("choice"),
        "time" | "timeout" => Some("duration"),
        _ => suggest::closest(word, TYPES),
    }
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The expression that matches a text as a whole.
fn whole(pattern: &str) -> Result<regex::Regex, regex::Error> {
    // First as it is: `a)(b` is no expression, though it would be one between brackets.
    regex::Regex::new(pattern)?;
    regex::Regex::new(&format!(r"\A(?:{pattern})\z"))
}

impl ParameterSpec {
    /// A value as the type wants it; a text (as flags give it) is read. The error goes on from "the value …".
    pub(super) fn accept(&self, value: &Value) -> Result<Value, String> {
        let wrong = |wanted: &str| Err(format!("must be {wanted}, not {}", shown(value)));
        match (&self.kind, value) {
            (ParameterType::Text, Value::Text(text)) => match &self.pattern {
                Some(pattern) if !whole(pattern).is_ok_and(|pattern| pattern.is_match(text)) => {
                    wrong(&format!("a text that matches {pattern:?}"))
                }
                _ => Ok(value.clone()),
            },
            (ParameterType::Text, Value::Int(_) | Value::Float(_) | Value::Bool(_)) => {
                wrong("a text (in quotes, where a file or header gives it)")
            }
            (ParameterType::Text, _) => wrong("a text"),
            (ParameterType::Int, Value::Int(number)) => self.within(*number),
            (ParameterType::Int, Value::Text(text)) => match text.trim().parse() {
                Ok(number) => self.within(number),
                Err(_) => wrong("a whole number"),
            },
            (ParameterType::Int, _) => wrong("a whole number"),
            (ParameterType::Bool, Value::Bool(_)) => Ok(value.clone()),
            (ParameterType::Bool, Value::Text(text)) => {
                match text.trim().to_ascii_lowercase().as_str() {
                    "true" | "yes" | "on" | "1" => Ok(true.into()),
                    "false" | "no" | "off" | "0" => Ok(false.into()),
                    _ => wrong("true or false"),
                }
            }
            (ParameterType::Bool, _) => wrong("true or false"),
            (ParameterType::Duration, Value::Text(text)) => match duration::parse(text) {
                Ok(parsed) => Ok(duration::format(parsed).into()),
                Err(error) => Err(format!("must be a duration, but {error}")),
            },
            (ParameterType::Duration, Value::Int(seconds)) if *seconds >= 0 => {
                Ok(duration::format(Duration::from_secs(seconds.unsigned_abs())).into())
            }
            (ParameterType::Duration, _) => {
                wrong("a duration such as \"5m\", or a number of seconds")
            }
            (ParameterType::Choice(choices), Value::Text(text)) if choices.contains(text) => {
                Ok(value.clone())
            }
            (ParameterType::Choice(choices), _) => {
                let typed = value.to_string();
                let near = suggest::closest(&typed, choices.iter().map(String::as_str));
                let near = near
                    .map(|near| format!("; did you mean {near:?}?"))
                    .unwrap_or_default();
                Err(format!(
                    "must be one of {}, not {}{near}",
                    choices.join(", "),
                    shown(value)
                ))
            }
        }
    }

    fn within(&self, number: i64) -> Result<Value, String> {
        let bounds = match self.range {
            (Some(min), Some(max)) if number < min || number > max => {
                format!("from {min} to {max}")
            }
            (Some(min), None) if number < min => format!("at least {min}"),
            (None, Some(max)) if number > max => format!("at most {max}"),
            _ => return Ok(Value::Int(number)),
        };
        Err(format!("must be {bounds}, not {number}"))
    }
}

/// A value in an error message, of bearable length.
fn shown(value: &Value) -> String {
    const LENGTH: usize = 80;
    let text = value.canonical();
    if text.chars().count() <= LENGTH {
        return text;
    }
    text.chars().take(LENGTH).chain(['…']).collect()
}
