//! Functions of text that Rhai lacks, under the names that they have in runbooks.

use rhai::{Array, Dynamic, Engine};

use super::Said;
use super::convert::{to_dynamic, to_json};

/// Makes them known.
pub fn register(engine: &mut Engine) {
    engine.register_fn("parse_yaml", |text: &str| -> Said<Dynamic> {
        let json: serde_json::Value =
            serde_yaml::from_str(text).map_err(|error| format!("not YAML: {error}"))?;
        Ok(to_dynamic(&json))
    });
    engine.register_fn("parse_json", |text: &str| -> Said<Dynamic> {
        let json: serde_json::Value =
            serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
        Ok(to_dynamic(&json))
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
