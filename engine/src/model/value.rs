//! The plain data that operations return and the journal keeps.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Plain data: what an operation returns, what a step's arguments are made of, what the journal stores.
///
/// Unlike the script's own values it has no functions, handles or clocks in it, so that writing it down
/// and reading it back gives the same value (floats stay floats, integers stay integers).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// Nothing: `()` in a script.
    #[default]
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating-point number; never NaN or infinite in a journal.
    Float(f64),
    /// Text.
    Text(String),
    /// An array.
    List(Vec<Value>),
    /// A value that a dry run cannot know. Stands before [`Value::Map`] so that it reads back as itself.
    Unknown(Unknown),
    /// An object map, sorted by key.
    Map(BTreeMap<String, Value>),
}

/// A value that nobody can know until the run: it depends on an effect that a dry run only plans.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unknown {
    /// Why: the planned effect that the value depends on, in words for a reader.
    #[serde(rename = "$unknown_until_run")]
    pub because: String,
}

impl Unknown {
    /// The mark that an unknown value leaves in a text.
    pub const MARK: &str = "‹unknown until run›";

    /// An unknown value with its reason.
    pub fn because(reason: impl Into<String>) -> Self {
        Self {
            because: reason.into(),
        }
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::MARK)
    }
}

impl Value {
    /// An empty map.
    pub fn map() -> Self {
        Self::Map(BTreeMap::new())
    }

    /// A map of the given entries.
    pub fn from_entries<K: Into<String>>(entries: impl IntoIterator<Item = (K, Value)>) -> Self {
        Self::Map(
            entries
                .into_iter()
                .map(|(key, value)| (key.into(), value))
                .collect(),
        )
    }

    /// The text, if this is text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The entry of a map, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Self::Map(entries) => entries.get(key),
            _ => None,
        }
    }

    /// The first unknown value inside, if there is one.
    pub fn unknown(&self) -> Option<&Unknown> {
        match self {
            Self::Unknown(unknown) => Some(unknown),
            Self::List(items) => items.iter().find_map(Value::unknown),
            Self::Map(entries) => entries.values().find_map(Value::unknown),
            _ => None,
        }
    }

    /// The canonical JSON text: maps sorted, no white space. What fingerprints are made of.
    pub fn canonical(&self) -> String {
        serde_json::to_string(self).expect("plain data always has a JSON form: keys are strings")
    }
}

impl fmt::Display for Value {
    /// Text as it is, everything else as compact JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Text(text) => f.write_str(text),
            Self::Unknown(unknown) => unknown.fmt(f),
            other => f.write_str(&other.canonical()),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}
impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}
impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(item: Option<T>) -> Self {
        item.map_or(Self::Null, Into::into)
    }
}
impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Self {
        use serde_json::Value as Json;
        match json {
            Json::Null => Self::Null,
            Json::Bool(truth) => Self::Bool(truth),
            Json::Number(number) => match number.as_i64() {
                Some(whole) => Self::Int(whole),
                None => Self::Float(number.as_f64().unwrap_or_default()),
            },
            Json::String(text) => Self::Text(text),
            Json::Array(items) => Self::List(items.into_iter().map(Into::into).collect()),
            Json::Object(entries) => Self::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| (key, value.into()))
                    .collect(),
            ),
        }
    }
}
impl From<&Value> for serde_json::Value {
    fn from(value: &Value) -> Self {
        serde_json::to_value(value).expect("plain data always has a JSON form: keys are strings")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_as_written() {
        for value in [
            Value::Null,
            Value::Int(1),
            Value::Float(1.0),
            Value::from("x"),
            Value::Unknown(Unknown::because("a restart")),
            Value::from_entries([("a", Value::from(vec![1, 2]))]),
        ] {
            let text = value.canonical();
            assert_eq!(
                serde_json::from_str::<Value>(&text).unwrap(),
                value,
                "{text}"
            );
        }
    }
}
