//! Setting one key of a YAML file without touching another byte: a parser that knows the place of every node says
//! where, the value is spliced in, and the result is read again, by two independent parsers, to prove that exactly
//! this key has changed and every comment is still there.

mod scalar;
mod splice;
pub(crate) mod tree;

use serde_yaml::{Mapping, Value as Yaml};

use self::scalar::Wanted;
use self::splice::Splice;
use self::tree::{Content, Document, Node, TreeError};
use crate::model::Value;

/// Why a key cannot be read or set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum YamlError {
    /// It is not YAML, has a key twice, or is more than one document.
    #[error("line {line}, column {column}: {why}")]
    Unreadable {
        /// Line, from 1.
        line: u32,
        /// Column in characters, from 1.
        column: u32,
        /// Why.
        why: String,
    },
    /// The parsers understand it differently, or a number has no plain form.
    #[error("not YAML that can be read: {0}")]
    Unclear(String),
    /// The path or value is not one that can be set.
    #[error("{0}")]
    Value(String),
    /// The edit cannot be made safely.
    #[error("line {line}: {why}; use edit() for this file")]
    Unsafe {
        /// Line, from 1.
        line: u32,
        /// Why.
        why: String,
    },
    /// The edit would do something else than it should; nothing is written.
    #[error("`{key}` cannot be set without changing something else in this file; use edit()")]
    Disturbs {
        /// The key.
        key: String,
    },
}

impl From<TreeError> for YamlError {
    fn from(error: TreeError) -> Self {
        Self::Unreadable {
            line: error.place.line,
            column: error.place.column,
            why: error.why,
        }
    }
}

/// A document as plain data. Duplicate keys and further documents are refused, with their line.
pub fn get_yaml(text: &str) -> Result<Value, YamlError> {
    tree::read(text)?;
    let json = serde_json::to_value(parse(text)?)
        .map_err(|error| YamlError::Unclear(error.to_string()))?;
    Ok(Value::from(json))
}

fn parse(text: &str) -> Result<Yaml, YamlError> {
    // The byte order mark is no part of the document, and not every parser knows.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_yaml::from_str(text).map_err(|error| YamlError::Unclear(error.to_string()))
}

/// Sets the key at `path` (outermost first) of a map to a text, a whole number, a truth value, or a list of these.
///
/// The value keeps the place, the quotes and the comment of the one that it replaces. A missing key is added at the end
/// of its map, missing maps around it with it. A text is quoted where a reader, of YAML 1.1 or 1.2, could take it
/// for something else. Refused, with the line: duplicate keys, further documents, tabs as indentation, and on the
/// path anchors, aliases, tags, blocks of text and comments inside of what is replaced.
pub fn set_yaml(text: &str, path: &[&str], value: &Value) -> Result<String, YamlError> {
    if path.is_empty() || path.iter().any(|key| key.is_empty()) {
        return Err(YamlError::Value("set_yaml needs the name of a key".into()));
    }
    let wanted = Wanted::of(value)?;
    let before = tree::read(text)?;
    let Some(edit) = (Splice {
        text,
        document: &before,
        wanted: &wanted,
    })
    .at(path)?
    else {
        return Ok(text.to_owned());
    };
    let edited = format!(
        "{}{}{}",
        &text[..edit.range.start],
        edit.new,
        &text[edit.range.end..]
    );
    match proven(&before, text, &edited, path, &wanted) {
        Ok(true) => Ok(edited),
        _ => Err(YamlError::Disturbs {
            key: path.join("."),
        }),
    }
}

/// Whether the edited text differs from the one before by this key and nothing else.
fn proven(
    before: &Document,
    text: &str,
    edited: &str,
    path: &[&str],
    wanted: &Wanted,
) -> Result<bool, YamlError> {
    let after = tree::read(edited)?;
    let comments = |document: &Document, text: &str| -> Vec<String> {
        document
            .comments
            .iter()
            .map(|range| text[range.clone()].to_owned())
            .collect()
    };
    let Some(root) = &after.root else {
        return Ok(false);
    };
    Ok(comments(before, text) == comments(&after, edited)
        && same_but(before.root.as_ref(), root, path)
        && expected(&parse(text)?, path, &wanted.yaml())? == parse(edited)?)
}

/// What a reader shall find after the edit.
fn expected(before: &Yaml, path: &[&str], wanted: &Yaml) -> Result<Yaml, YamlError> {
    let Some((first, rest)) = path.split_first() else {
        return Ok(wanted.clone());
    };
    let mut map = match before {
        Yaml::Mapping(map) => map.clone(),
        Yaml::Null => Mapping::new(),
        _ => {
            return Err(YamlError::Value(format!(
                "what is around `{first}` is not a map"
            )));
        }
    };
    let inner = map.get(*first).cloned().unwrap_or(Yaml::Null);
    map.insert(
        Yaml::String((*first).to_owned()),
        expected(&inner, rest, wanted)?,
    );
    Ok(Yaml::Mapping(map))
}

/// Whether two nodes are the same, quotes and order included, but for what stands at `path`.
fn same_but(before: Option<&Node>, after: &Node, path: &[&str]) -> bool {
    let Some((key, rest)) = path.split_first() else {
        return true;
    };
    let none = Vec::new();
    let old = match before.map(|node| &node.content) {
        Some(Content::Map(entries, _)) => entries,
        _ => &none,
    };
    let Content::Map(new, _) = &after.content else {
        return false;
    };
    let others = |entries: &[(Node, Node)]| -> Vec<(Node, Node)> {
        entries
            .iter()
            .filter(|(name, _)| name.text() != Some(key))
            .cloned()
            .collect()
    };
    let value_at = |entries: &'_ [(Node, Node)]| {
        entries
            .iter()
            .position(|(name, _)| name.text() == Some(key))
    };
    let Some(now) = value_at(new) else {
        return false;
    };
    let place_kept = value_at(old).is_none_or(|then| then == now);
    let (old_others, new_others) = (others(old), others(new));
    place_kept
        && old_others.len() == new_others.len()
        && old_others
            .iter()
            .zip(&new_others)
            .all(|(old, new)| same(&old.0, &new.0) && same(&old.1, &new.1))
        && same_but(value_at(old).map(|then| &old[then].1), &new[now].1, rest)
}

fn same(one: &Node, other: &Node) -> bool {
    let contents = match (&one.content, &other.content) {
        (Content::Scalar(a, style), Content::Scalar(b, other_style)) => {
            a == b && style == other_style
        }
        (Content::List(a, _), Content::List(b, _)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Content::Map(a, _), Content::Map(b, _)) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .all(|(a, b)| same(&a.0, &b.0) && same(&a.1, &b.1))
        }
        (Content::Alias(a), Content::Alias(b)) => a == b,
        _ => false,
    };
    contents && one.anchored == other.anchored && one.tagged == other.tagged
}

#[cfg(test)]
mod tests;
