//! Typed parameters of a runbook: what the header says of them, and the values that a run gets.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::journal::Parameter;
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
    /// A duration such as `90s`; scripts get it as text in that form, which every word that takes a duration reads.
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

/// Values that a user gave, by where they came from. Flags win over the environment, that over the file.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// `-e K=V`.
    pub flags: Vec<(String, String)>,
    /// `--var-file`: its name and text.
    pub file: Option<(String, String)>,
    /// `RUNBOOK_VAR_x`.
    pub environment: Vec<(String, String)>,
}

/// What is wrong with a given value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterError {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

const KEYS: &[&str] = &["type", "default", "help", "choices", "pattern", "min", "max"];

/// The parameters that a header describes.
pub fn specs(params: &Value) -> Result<Vec<ParameterSpec>, String> {
    let Value::Map(entries) = params else {
        return Err("`params` must be a map: params: #{ name: #{ default: … } }".into());
    };
    entries.iter().map(|(name, description)| spec(name, description)).collect()
}

fn spec(name: &str, description: &Value) -> Result<ParameterSpec, String> {
    let Value::Map(keys) = description else {
        return Err(format!("parameter `{name}` must be a map: {name}: #{{ default: …, help: \"…\" }}"));
    };
    if let Some(stranger) = keys.keys().find(|key| !KEYS.contains(&key.as_str())) {
        let near = suggest::closest(stranger, KEYS.iter().copied());
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        return Err(format!("parameter `{name}` has no key `{stranger}`{near}"));
    }
    let text = |key: &str| -> Result<Option<String>, String> {
        match description.get(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text.clone())),
            Some(_) => Err(format!("parameter `{name}`: `{key}` must be a text")),
        }
    };
    let number = |key: &str| -> Result<Option<i64>, String> {
        match description.get(key) {
            None => Ok(None),
            Some(Value::Int(number)) => Ok(Some(*number)),
            Some(_) => Err(format!("parameter `{name}`: `{key}` must be a whole number")),
        }
    };
    let mut spec = ParameterSpec {
        name: name.to_owned(),
        kind: kind(name, text("type")?.as_deref(), description)?,
        default: None,
        help: text("help")?.unwrap_or_default(),
        pattern: text("pattern")?,
        range: (number("min")?, number("max")?),
    };
    if let Some(pattern) = &spec.pattern {
        regex::Regex::new(pattern).map_err(|error| format!("parameter `{name}`: `pattern`: {error}"))?;
    }
    if let Some(default) = description.get("default").filter(|default| **default != Value::Null) {
        let value = accept(&spec, default).map_err(|why| format!("parameter `{name}`: its default {why}"))?;
        spec.default = Some(value);
    }
    Ok(spec)
}

fn kind(name: &str, given: Option<&str>, description: &Value) -> Result<ParameterType, String> {
    let choices = match description.get("choices") {
        None => None,
        Some(Value::List(items)) => {
            let texts: Option<Vec<String>> = items.iter().map(|item| item.as_text().map(str::to_owned)).collect();
            Some(texts.ok_or(format!("parameter `{name}`: `choices` must be texts"))?)
        }
        Some(_) => return Err(format!("parameter `{name}`: `choices` must be an array of texts")),
    };
    match (given, choices, description.get("default")) {
        (Some("choice") | None, Some(choices), _) if !choices.is_empty() => Ok(ParameterType::Choice(choices)),
        (Some("choice"), ..) | (None, Some(_), _) => Err(format!("parameter `{name}`: a choice needs `choices`")),
        (Some("string"), ..) => Ok(ParameterType::Text),
        (Some("int"), ..) | (None, None, Some(Value::Int(_))) => Ok(ParameterType::Int),
        (Some("bool"), ..) | (None, None, Some(Value::Bool(_))) => Ok(ParameterType::Bool),
        (Some("duration"), ..) => Ok(ParameterType::Duration),
        (None, None, _) => Ok(ParameterType::Text),
        (Some(other), ..) => {
            let known = ["string", "int", "bool", "duration", "choice"];
            let near = suggest::closest(other, known).map(|near| format!("; did you mean {near:?}?"));
            Err(format!(
                "parameter `{name}` has the type {other:?}; types are {}{}",
                known.join(", "),
                near.unwrap_or_default()
            ))
        }
    }
}

/// A value as its type wants it; a text (as flags give it) is read.
fn accept(spec: &ParameterSpec, value: &Value) -> Result<Value, String> {
    let wrong = |wanted: &str| Err(format!("must be {wanted}, not {}", shown(value)));
    match (&spec.kind, value) {
        (ParameterType::Text, Value::Text(text)) => match &spec.pattern {
            Some(pattern) if !matches_whole(pattern, text) => wrong(&format!("a text that matches {pattern:?}")),
            _ => Ok(value.clone()),
        },
        (ParameterType::Text, _) => wrong("a text"),
        (ParameterType::Int, Value::Int(number)) => within(spec, *number),
        (ParameterType::Int, Value::Text(text)) => match text.trim().parse() {
            Ok(number) => within(spec, number),
            Err(_) => wrong("a whole number"),
        },
        (ParameterType::Int, _) => wrong("a whole number"),
        (ParameterType::Bool, Value::Bool(_)) => Ok(value.clone()),
        (ParameterType::Bool, Value::Text(text)) => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Ok(true.into()),
            "false" | "no" | "off" | "0" => Ok(false.into()),
            _ => wrong("true or false"),
        },
        (ParameterType::Bool, _) => wrong("true or false"),
        (ParameterType::Duration, Value::Text(text)) => match duration::parse(text) {
            Ok(parsed) => Ok(duration::format(parsed).into()),
            Err(error) => Err(format!("is no duration: {error}")),
        },
        (ParameterType::Duration, Value::Int(seconds)) if *seconds >= 0 => {
            Ok(duration::format(Duration::from_secs(seconds.unsigned_abs())).into())
        }
        (ParameterType::Duration, _) => wrong("a duration such as \"5m\""),
        (ParameterType::Choice(choices), Value::Text(text)) if choices.contains(text) => Ok(value.clone()),
        (ParameterType::Choice(choices), _) => {
            let near = value.as_text().and_then(|text| suggest::closest(text, choices.iter().map(String::as_str)));
            let near = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
            Err(format!("must be one of {}, not {}{near}", choices.join(", "), shown(value)))
        }
    }
}

fn matches_whole(pattern: &str, text: &str) -> bool {
    regex::Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|pattern| pattern.is_match(text))
}

fn within(spec: &ParameterSpec, number: i64) -> Result<Value, String> {
    let (min, max) = spec.range;
    if min.is_some_and(|min| number < min) || max.is_some_and(|max| number > max) {
        let bound = |bound: Option<i64>, open: &str| bound.map_or(open.to_owned(), |bound| bound.to_string());
        return Err(format!("must be from {} to {}, not {number}", bound(min, "any"), bound(max, "any")));
    }
    Ok(Value::Int(number))
}

fn shown(value: &Value) -> String {
    value.canonical().chars().take(80).collect()
}

/// The values of a run's parameters; all that is wrong at once.
pub fn check(specs: &[ParameterSpec], given: &Given) -> Result<BTreeMap<String, Parameter>, Vec<ParameterError>> {
    let mut errors = Vec::new();
    let mut values: BTreeMap<String, (Value, String)> = BTreeMap::new();
    for (name, value) in file_values(given, &mut errors) {
        values.insert(name, value);
    }
    let environment = given.environment.iter().filter(|(name, _)| specs.iter().any(|spec| spec.name == *name));
    for (name, value) in environment {
        values.insert(name.clone(), (Value::from(value.clone()), format!("RUNBOOK_VAR_{name}")));
    }
    for (name, value) in &given.flags {
        values.insert(name.clone(), (Value::from(value.clone()), format!("-e {name}")));
    }
    for name in values.keys() {
        if !specs.iter().any(|spec| spec.name == *name) {
            errors.push(unknown(specs, name));
        }
    }
    let mut parameters = BTreeMap::new();
    for spec in specs {
        let (value, origin) = match values.get(&spec.name) {
            Some((value, origin)) => (Some(value.clone()), origin.clone()),
            None => (spec.default.clone(), "default".to_owned()),
        };
        let Some(value) = value else {
            errors.push(ParameterError {
                message: format!("parameter `{}` must be given: {}", spec.name, spec.help),
                help: Some(format!("give it with -e {}=VALUE", spec.name)),
            });
            continue;
        };
        match accept(spec, &value) {
            Ok(value) => {
                parameters.insert(spec.name.clone(), Parameter { value, origin });
            }
            Err(why) => errors.push(ParameterError {
                message: format!("parameter `{}` ({origin}) {why}", spec.name),
                help: (!spec.help.is_empty()).then(|| format!("{}: {}", spec.name, spec.help)),
            }),
        }
    }
    if errors.is_empty() { Ok(parameters) } else { Err(errors) }
}

fn file_values(given: &Given, errors: &mut Vec<ParameterError>) -> Vec<(String, (Value, String))> {
    let Some((name, text)) = &given.file else { return Vec::new() };
    match serde_yaml::from_str::<BTreeMap<String, serde_json::Value>>(text) {
        Ok(map) => map.into_iter().map(|(key, value)| (key, (Value::from(value), name.clone()))).collect(),
        Err(error) => {
            errors.push(ParameterError {
                message: format!("{name} cannot be read: {error}"),
                help: Some("a var file is a YAML map of parameter names and values".into()),
            });
            Vec::new()
        }
    }
}

fn unknown(specs: &[ParameterSpec], name: &str) -> ParameterError {
    let near = suggest::closest(name, specs.iter().map(|spec| spec.name.as_str()));
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None if specs.is_empty() => "it has none".into(),
        None => format!("it has: {}", specs.iter().map(|spec| spec.name.as_str()).collect::<Vec<_>>().join(", ")),
    };
    ParameterError { message: format!("the runbook has no parameter `{name}`"), help: Some(help) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(text: &str) -> Vec<ParameterSpec> {
        specs(&Value::from(serde_json::from_str::<serde_json::Value>(text).unwrap())).unwrap()
    }

    fn with(specs: &[ParameterSpec], flags: &[(&str, &str)]) -> Result<BTreeMap<String, Parameter>, Vec<ParameterError>> {
        let flags = flags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        check(specs, &Given { flags, ..Given::default() })
    }

    #[test]
    fn flags_are_read_as_the_type_wants() {
        let specs = params(
            r#"{"n": {"default": 1, "min": 1, "max": 9}, "b": {"default": false}, "d": {"type": "duration", "default": "90s"},
                "c": {"choices": ["red", "green"], "default": "red"}, "must": {"type": "string"}}"#,
        );
        let good = with(&specs, &[("n", "5"), ("b", "yes"), ("d", "300s"), ("c", "green"), ("must", "x=y")]).unwrap();
        assert_eq!(good["n"].value, Value::Int(5));
        assert_eq!(good["b"].value, Value::Bool(true));
        assert_eq!(good["d"].value, Value::from("5m"));
        let bad = with(&specs, &[("n", "10"), ("b", "maybe"), ("d", "soon"), ("c", "gren"), ("mist", "")]).unwrap_err();
        let text = bad.iter().map(|error| format!("{} {:?}\n", error.message, error.help)).collect::<String>();
        for part in ["from 1 to 9", "true or false", "no duration", "did you mean \"green\"", "no parameter `mist`", "`must` must be given"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn wrong_headers_are_refused() {
        for (text, part) in [
            (r#"{"a": {"defualt": 1}}"#, "did you mean `default`"),
            (r#"{"a": {"type": "integer"}}"#, "did you mean \"int\""),
            (r#"{"a": {"type": "int", "default": "x"}}"#, "default must be a whole number"),
            (r#"{"a": 1}"#, "must be a map"),
        ] {
            let error = specs(&Value::from(serde_json::from_str::<serde_json::Value>(text).unwrap())).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
