//! Typed parameters of a runbook: what the header says of them, and the values that a run gets.

mod spec;

use std::collections::BTreeMap;

use crate::journal::Parameter;
use crate::model::Value;
use crate::text::{suggest, yaml};

pub use spec::{ParameterSpec, ParameterType, SpecError, specs};

/// Values that a user gave, by where they came from. Flags win over the environment, that over the file.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// `-e K=V`; of the same name, the last wins.
    pub flags: Vec<(String, String)>,
    /// `--var-file`: its name and text, a map in YAML or JSON.
    pub file: Option<(String, String)>,
    /// `RUNBOOK_VAR_x`. Names that the runbook does not have are for other runbooks, and no error.
    pub environment: Vec<(String, String)>,
}

/// What is wrong with what a user gave.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParameterError {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// A value as it was given, and where.
struct GivenValue {
    value: Value,
    origin: String,
}

/// The values of a run's parameters; all that is wrong at once.
pub fn check(
    specs: &[ParameterSpec],
    given: &Given,
) -> Result<BTreeMap<String, Parameter>, Vec<ParameterError>> {
    let mut errors = Vec::new();
    let values = collect(specs, given, &mut errors);
    for (name, value) in &values {
        if !specs.iter().any(|spec| spec.name == *name) {
            errors.push(unknown(specs, name, &value.origin));
        }
    }
    let mut parameters = BTreeMap::new();
    for spec in specs {
        match parameter(spec, values.get(&spec.name)) {
            Ok(parameter) => {
                parameters.insert(spec.name.clone(), parameter);
            }
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        Ok(parameters)
    } else {
        Err(errors)
    }
}

/// Every value that was given, the strongest of each name.
fn collect(
    specs: &[ParameterSpec],
    given: &Given,
    errors: &mut Vec<ParameterError>,
) -> BTreeMap<String, GivenValue> {
    let mut values = BTreeMap::new();
    if let Some((file, text)) = &given.file {
        match read_file(file, text) {
            Ok(entries) => {
                let entries = entries
                    .into_iter()
                    .filter(|(_, value)| *value != Value::Null);
                values.extend(entries.map(|(name, value)| {
                    (
                        name,
                        GivenValue {
                            value,
                            origin: file.clone(),
                        },
                    )
                }));
            }
            Err(error) => errors.push(error),
        }
    }
    let known = |name: &str| specs.iter().any(|spec| spec.name == name);
    for (name, text) in given.environment.iter().filter(|(name, _)| known(name)) {
        let origin = format!("RUNBOOK_VAR_{name}");
        values.insert(
            name.clone(),
            GivenValue {
                value: Value::from(text.clone()),
                origin,
            },
        );
    }
    for (name, text) in &given.flags {
        let origin = format!("-e {name}");
        values.insert(
            name.clone(),
            GivenValue {
                value: Value::from(text.clone()),
                origin,
            },
        );
    }
    values
}

/// The entries of a var file: JSON if it is that, else YAML.
fn read_file(file: &str, text: &str) -> Result<BTreeMap<String, Value>, ParameterError> {
    let help = "a var file is a map of parameter names and values, in YAML or JSON";
    let error = |message: String| ParameterError {
        message,
        help: Some(help.into()),
    };
    // Most JSON is YAML as well, but not when tabs indent it.
    let json = serde_json::from_str::<serde_json::Value>(text)
        .map(Value::from)
        .ok();
    let value = match json {
        Some(value) => value,
        None => {
            yaml::get_yaml(text).map_err(|why| error(format!("{file} cannot be read: {why}")))?
        }
    };
    match value {
        Value::Map(entries) => Ok(entries),
        Value::Null => Ok(BTreeMap::new()),
        _ => Err(error(format!("{file} holds no map"))),
    }
}

fn parameter(
    spec: &ParameterSpec,
    given: Option<&GivenValue>,
) -> Result<Parameter, ParameterError> {
    let name = &spec.name;
    let meaning = (!spec.help.is_empty()).then(|| format!("{name}: {}", spec.help));
    match (given, &spec.default) {
        (Some(given), _) => match spec.accept(&given.value) {
            Ok(value) => Ok(Parameter {
                value,
                origin: given.origin.clone(),
            }),
            Err(why) => Err(ParameterError {
                message: format!("parameter `{name}` ({}) {why}", given.origin),
                help: meaning,
            }),
        },
        (None, Some(default)) => Ok(Parameter {
            value: default.clone(),
            origin: "default".to_owned(),
        }),
        (None, None) => {
            let what = if spec.help.is_empty() {
                String::new()
            } else {
                format!(": {}", spec.help)
            };
            Err(ParameterError {
                message: format!("parameter `{name}` must be given{what}"),
                help: Some(format!("give it with -e {name}=VALUE")),
            })
        }
    }
}

fn unknown(specs: &[ParameterSpec], name: &str, origin: &str) -> ParameterError {
    let hint = suggest::hint(name, specs.iter().map(|spec| spec.name.as_str()));
    ParameterError {
        message: format!("the runbook has no parameter `{name}` ({origin})"),
        help: hint.or_else(|| specs.is_empty().then(|| "it has no parameters".into())),
    }
}

#[cfg(test)]
mod tests;
