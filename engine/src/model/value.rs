//! The plain data that operations return and the journal keeps.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

/// Plain data: what an operation returns, what a step's arguments are made of, what the journal stores.
///
/// Unlike the script's own values it has no functions, handles or clocks in it, so that writing it down
/// and reading it back gives the same value (floats stay floats, integers stay integers).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
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
    /// A value that a dry run cannot know.
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
    /// The only key of an unknown value that is written down.
    const KEY: &str = "$unknown_until_run";

    /// The unknown value as which these entries were written down, if they were.
    fn of(entries: &mut BTreeMap<String, Value>) -> Option<Self> {
        let alone = entries.len() == 1;
        match entries.get_mut(Self::KEY) {
            Some(Value::Text(because)) if alone => Some(Self {
                because: std::mem::take(because),
            }),
            _ => None,
        }
    }

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

/// By hand: what `untagged` derives reads every value into a tree of its own first, and tries one variant after the
/// other; a journal is full of values.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reading)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("plain data")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Int(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        // Beyond the whole numbers of a script.
        Ok(i64::try_from(number).map_or(Value::Float(number as f64), Value::Int))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = BTreeMap::new();
        while let Some((key, value)) = entries.next_entry::<String, Value>()? {
            map.insert(key, value);
        }
        Ok(match Unknown::of(&mut map) {
            Some(unknown) => Value::Unknown(unknown),
            None => Value::Map(map),
        })
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
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What a resumed run replays is what was recorded, to the last bit.
        #[test]
        fn every_float_reads_back_as_it_was(number in proptest::num::f64::NORMAL | proptest::num::f64::ZERO) {
            let text = Value::Float(number).canonical();
            prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), Value::Float(number));
            let within = Value::List(vec![Value::Float(number)]).canonical();
            let list = Value::List(vec![Value::Float(number)]);
            prop_assert_eq!(serde_json::from_str::<Value>(&within).unwrap(), list);
        }
    }

    #[test]
    fn reads_back_as_written() {
        for value in [
            Value::Null,
            Value::Int(1),
            Value::Float(1.0),
            Value::from("x"),
            Value::Unknown(Unknown::because("a restart")),
            Value::from_entries([("a", Value::from(vec![1, 2]))]),
            Value::map(),
            Value::from_entries([("a", Value::Unknown(Unknown::because("b")))]),
            // What only looks like an unknown value is none.
            Value::from_entries([(Unknown::KEY, Value::Int(1))]),
            Value::from_entries([(Unknown::KEY, "x".into()), ("a", Value::Null)]),
        ] {
            let text = value.canonical();
            assert_eq!(
                serde_json::from_str::<Value>(&text).unwrap(),
                value,
                "{text}"
            );
        }
        let large: Value = serde_json::from_str("18446744073709551615").unwrap();
        assert_eq!(large, Value::Float(u64::MAX as f64));
    }
}
