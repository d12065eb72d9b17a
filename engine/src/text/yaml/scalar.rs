//! Values as they are written in YAML, so that every reader takes them for what they are.

use granit_parser::ScalarStyle;
use serde_yaml::Value as Yaml;

use super::YamlError;
use super::tree::{Content, Layout, Node};
use crate::model::Value;

/// A single value that can be written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Text(String),
    Int(i64),
    Bool(bool),
}

/// A value that can be set.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wanted {
    One(Scalar),
    Many(Vec<Scalar>),
}

impl Wanted {
    /// Takes what a script gives; refuses what has no place on one line.
    pub fn of(value: &Value) -> Result<Self, YamlError> {
        match value {
            Value::List(items) => items
                .iter()
                .map(Scalar::of)
                .collect::<Result<_, _>>()
                .map(Self::Many),
            one => Scalar::of(one).map(Self::One),
        }
    }

    /// The value on one line. `like` is the value that it replaces, whose quotes it keeps.
    pub fn written(&self, layout: Layout, like: Option<&Node>) -> String {
        match self {
            Self::One(scalar) => scalar.written(layout, like.and_then(style)),
            Self::Many(items) => {
                let style = match like.map(|node| &node.content) {
                    Some(Content::List(old, _)) => old.first().and_then(style),
                    _ => None,
                };
                let items: Vec<String> = items
                    .iter()
                    .map(|item| item.written(Layout::Flow, style))
                    .collect();
                format!("[{}]", items.join(", "))
            }
        }
    }

    /// The value as a YAML reader gives it.
    pub fn yaml(&self) -> Yaml {
        match self {
            Self::One(scalar) => scalar.yaml(),
            Self::Many(items) => Yaml::Sequence(items.iter().map(Scalar::yaml).collect()),
        }
    }

    /// Whether a node says this already, for every reader.
    pub fn is_said_by(&self, node: &Node) -> bool {
        match (self, &node.content) {
            (Self::One(scalar), Content::Scalar(..)) => scalar.is_said_by(node),
            (Self::Many(items), Content::List(old, _)) => {
                items.len() == old.len()
                    && items
                        .iter()
                        .zip(old)
                        .all(|(item, node)| item.is_said_by(node))
            }
            _ => false,
        }
    }
}

impl Scalar {
    fn of(value: &Value) -> Result<Self, YamlError> {
        match value {
            Value::Text(text) => Ok(Self::Text(text.clone())),
            Value::Int(number) => Ok(Self::Int(*number)),
            Value::Bool(truth) => Ok(Self::Bool(*truth)),
            other => Err(YamlError::Value(format!(
                "set_yaml sets a text, a whole number, true or false, or a list of these, not {}",
                other.canonical()
            ))),
        }
    }

    fn yaml(&self) -> Yaml {
        match self {
            Self::Text(text) => Yaml::String(text.clone()),
            Self::Int(number) => Yaml::Number((*number).into()),
            Self::Bool(truth) => Yaml::Bool(*truth),
        }
    }

    /// Whether a node says this already. A text that stands there without quotes but needs them does not count:
    /// `yes` is a text for one reader and true for another.
    pub fn is_said_by(&self, node: &Node) -> bool {
        let Content::Scalar(text, style) = &node.content else {
            return false;
        };
        if node.tagged {
            return false;
        }
        match (self, style) {
            (Self::Text(wanted), ScalarStyle::Plain) => text == wanted && is_plain(text),
            (Self::Text(wanted), _) => text == wanted,
            (_, ScalarStyle::Plain) => {
                serde_yaml::from_str::<Yaml>(text).is_ok_and(|read| read == self.yaml())
            }
            _ => false,
        }
    }

    /// The value on one line, in quotes of this style where it is a text.
    pub fn written(&self, layout: Layout, style: Option<ScalarStyle>) -> String {
        match self {
            Self::Int(number) => number.to_string(),
            Self::Bool(truth) => truth.to_string(),
            Self::Text(text) => {
                let printable = !text.chars().any(needs_escape);
                let unsafe_in_flow = layout == Layout::Flow && text.contains(':');
                match style {
                    Some(ScalarStyle::SingleQuoted) if printable => {
                        format!("'{}'", text.replace('\'', "''"))
                    }
                    None | Some(ScalarStyle::Plain) if is_plain(text) && !unsafe_in_flow => {
                        text.clone()
                    }
                    _ => double_quoted(text),
                }
            }
        }
    }
}

/// A key as it is written.
pub(super) fn key(key: &str, layout: Layout) -> String {
    Scalar::Text(key.to_owned()).written(layout, None)
}

/// The quotes of a node.
pub(super) fn style(node: &Node) -> Option<ScalarStyle> {
    match &node.content {
        Content::Scalar(_, style) if !node.is_empty() => Some(*style),
        _ => None,
    }
}

fn double_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            // Every character that YAML wants escaped lies in the basic plane, where four digits are enough.
            _ if needs_escape(character) => {
                out.push_str(&format!("\\u{:04x}", u32::from(character)))
            }
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

/// Whether YAML readers refuse or fold the character as it is: control characters, its own line breaks (NEL, LS, PS),
/// the byte order mark, and what is no character at all.
fn needs_escape(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
}

/// Whether a text without quotes is this text for every reader, those of YAML 1.1 (k3s) included. Where in doubt, no:
/// quotes never hurt.
pub(super) fn is_plain(text: &str) -> bool {
    // YAML 1.1 words for true, false and null: https://yaml.org/type/bool.html, https://yaml.org/type/null.html
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let inside = |c: char| c.is_alphanumeric() || "-_./@+:% ".contains(c);
    let begins = text.starts_with(|c: char| c.is_alphanumeric() || "/_".contains(c));
    begins
        && text.chars().all(inside)
        && !text.contains(": ")
        && !text.contains("  ")
        && !text.ends_with([':', ' '])
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
        && !(text.starts_with(|c: char| c.is_numeric()) && could_be_number_or_date(text))
}

/// For a text that begins with a digit. An address or version (`10.0.0.0/8`, `1.2.3`) and an amount (`100m`, `5Gi`)
/// are none; `1_000`, `0x1f`, `1e3`, `1:30` and `2026-01-01T00:00:00Z` are, somewhere.
fn could_be_number_or_date(text: &str) -> bool {
    let address = text.matches('.').count() > 1
        && text.chars().all(|c| c.is_ascii_digit() || "./".contains(c));
    let prefixed = ["0x", "0X", "0o", "0O", "0b", "0B"]
        .iter()
        .any(|prefix| text.starts_with(prefix));
    let dated = text
        .split('-')
        .next()
        .is_some_and(|year| year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit()));
    let worded = text.contains(|c: char| c.is_alphabetic() && !matches!(c, 'e' | 'E'));
    !address && (prefixed || dated || !worded)
}
