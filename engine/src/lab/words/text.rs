//! Functions of text that Rhai lacks, under the names that they have in runbooks.

use rhai::{Array, Dynamic, Engine};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value as Json;

use super::Said;
use super::convert::{to_dynamic, to_json};

/// Makes them known.
pub fn register(engine: &mut Engine) {
    engine.register_fn("parse_yaml", |text: &str| -> Said<Dynamic> {
        let json: Json =
            serde_yaml::from_str(text).map_err(|error| format!("not YAML: {error}"))?;
        Ok(to_dynamic(&json))
    });
    engine.register_fn("parse_json", |text: &str| -> Said<Dynamic> {
        let json: Json =
            serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
        Ok(to_dynamic(&json))
    });
    // A map of YAML in the text's order: `[[key, value], …]`. A key that repeats is no error, the last one stands, as in yaml.v2.
    engine.register_fn("yaml_entries", |text: &str| -> Said<Array> {
        let entries = entries(text).map_err(|error| format!("not a map of YAML: {error}"))?;
        let pair = |(key, value): (String, Json)| -> Dynamic {
            Dynamic::from_array(vec![key.into(), to_dynamic(&value)])
        };
        Ok(entries.into_iter().map(pair).collect())
    });
    // A command line as a shell takes it apart.
    engine.register_fn("shell_words", |text: &str| -> Said<Array> {
        let words = shlex::split(text).ok_or_else(|| format!("a quote is not closed: {text}"))?;
        Ok(words.into_iter().map(Dynamic::from).collect())
    });
    engine.register_fn("to_json", |value: Dynamic| -> Said<String> {
        Ok(to_json(&value)?.to_string())
    });
    engine.register_fn("lines", |text: &str| -> Array {
        text.lines()
            .map(|line| Dynamic::from(line.to_owned()))
            .collect()
    });
    engine.register_fn("words", |text: &str| -> Array {
        let words = text.split_whitespace();
        words.map(|word| Dynamic::from(word.to_owned())).collect()
    });
    engine.register_fn("trimmed", |text: &str| text.trim().to_owned());
    engine.register_fn("matches", |text: &str, pattern: &str| -> Said<bool> {
        Ok(regex(pattern)?.is_match(text))
    });
    engine.register_fn("captures", |text: &str, pattern: &str| -> Said<Dynamic> {
        let Some(found) = regex(pattern)?.captures(text).map(|found| {
            let groups = found.iter();
            let group = |group: Option<regex::Match<'_>>| {
                group.map_or(Dynamic::UNIT, |group| group.as_str().to_owned().into())
            };
            groups.map(group).collect::<Array>()
        }) else {
            return Ok(Dynamic::UNIT);
        };
        Ok(found.into())
    });
    engine.register_fn("join", |items: Array, between: &str| -> String {
        let texts: Vec<String> = items.iter().map(ToString::to_string).collect();
        texts.join(between)
    });
}

fn regex(pattern: &str) -> Said<regex::Regex> {
    regex::RegexBuilder::new(pattern)
        .multi_line(true)
        .size_limit(1 << 20)
        .build()
        .map_err(|error| format!("not a regular expression: {error}").into())
}

/// The entries of a map in their order; a key that repeats stands where it was last.
fn entries(text: &str) -> Result<Vec<(String, Json)>, serde_yaml::Error> {
    struct Entries;
    impl<'de> Visitor<'de> for Entries {
        type Value = Vec<(String, Json)>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a map of options")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(vec![])
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries: Self::Value = vec![];
            while let Some((key, value)) = map.next_entry::<String, Json>()? {
                entries.retain(|(known, _)| *known != key);
                entries.push((key, value));
            }
            Ok(entries)
        }
    }
    let is_empty = |line: &str| line.trim().is_empty() || line.trim().starts_with('#');
    if text.lines().all(is_empty) {
        return Ok(vec![]);
    }
    serde_yaml::Deserializer::from_str(text).deserialize_any(Entries)
}
