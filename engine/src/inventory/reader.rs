//! Reading typed values out of a YAML tree, with an error that points at what is wrong.

use serde_yaml::Value as Yaml;

use super::InventoryError;
use crate::text::mistake::Source;
use crate::text::suggest;
use crate::text::yaml::tree::{Content, Node};

/// The entries of a map whose keys are known.
pub(super) struct Fields<'a> {
    source: Source<'a>,
    entries: &'a [(Node, Node)],
}

/// The entries of a map; none for null.
pub(super) fn entries<'a>(
    source: Source<'a>,
    node: &'a Node,
    what: &str,
) -> Result<&'a [(Node, Node)], InventoryError> {
    match &node.content {
        Content::Map(entries, _) => Ok(entries),
        _ if node.is_null() => Ok(&[]),
        _ => Err(source.at(
            node,
            format!("{what} must be a map of names, not {}", kind(node)),
        )),
    }
}

/// The entries of a map that has no other keys than the known ones.
pub(super) fn fields<'a>(
    source: Source<'a>,
    node: &'a Node,
    what: &str,
    known: &[&str],
) -> Result<Fields<'a>, InventoryError> {
    let entries = entries(source, node, what)?;
    for (key, _) in entries {
        let name = name(source, key)?;
        if !known.contains(&name) {
            let message = format!("{what} has no key `{name}`");
            return Err(source
                .at(key, message)
                .help(suggest::hint(name, known.iter().copied())));
        }
    }
    Ok(Fields { source, entries })
}

/// The items of a list; none for null.
pub(super) fn items<'a>(
    source: Source<'a>,
    node: &'a Node,
    what: &str,
) -> Result<&'a [Node], InventoryError> {
    match &node.content {
        Content::List(items, _) => Ok(items),
        _ if node.is_null() => Ok(&[]),
        _ => Err(source.at(
            node,
            format!("{what} must be a list of names, not {}", kind(node)),
        )),
    }
}

/// A name: a key, or an item of a list.
pub(super) fn name<'a>(source: Source<'_>, node: &'a Node) -> Result<&'a str, InventoryError> {
    match node.text().filter(|_| !node.is_null()) {
        Some(text) => Ok(text),
        None => Err(source.at(node, format!("a name belongs here, not {}", kind(node)))),
    }
}

impl<'a> Fields<'a> {
    /// The entry of a key, with the key; none if it is missing or null.
    pub fn entry(&self, key: &str) -> Option<&'a (Node, Node)> {
        self.entries
            .iter()
            .find(|(name, value)| name.text() == Some(key) && !value.is_null())
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&'a Node> {
        self.entry(key).map(|(_, value)| value)
    }

    /// A text.
    pub fn text(&self, key: &str) -> Result<Option<&'a str>, InventoryError> {
        let Some(node) = self.get(key) else {
            return Ok(None);
        };
        match (scalar(node), node.text()) {
            (Some(Yaml::String(_)), Some(text)) => Ok(Some(text)),
            _ => {
                let message = format!("`{key}` must be a text, not {}", kind(node));
                let quoted = node
                    .text()
                    .map(|text| format!("if it is one, write it in quotes: \"{text}\""));
                Err(self.source.at(node, message).help(quoted))
            }
        }
    }

    /// A text that becomes part of a command line: not empty, no option, no white space.
    pub fn word(&self, key: &str) -> Result<Option<String>, InventoryError> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        let node = self.get(key);
        let why = if text.is_empty() {
            "is empty"
        } else if text.starts_with('-') {
            "starts with a dash, which would make it an option"
        } else if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            "has white space or control characters in it"
        } else {
            return Ok(Some(text.to_owned()));
        };
        let message = format!("`{key}` {why}: {text:?}");
        Err(node.map_or_else(
            || self.source.whole(&message),
            |node| self.source.at(node, &message),
        ))
    }

    /// A whole number in a range.
    pub fn number(
        &self,
        key: &str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<Option<u64>, InventoryError> {
        let Some(node) = self.get(key) else {
            return Ok(None);
        };
        match scalar(node)
            .and_then(|value| value.as_u64())
            .filter(|number| range.contains(number))
        {
            Some(number) => Ok(Some(number)),
            None => {
                let message = format!(
                    "`{key}` must be a number from {} to {}",
                    range.start(),
                    range.end()
                );
                Err(self.source.at(node, message))
            }
        }
    }
}

/// A single value as YAML types it.
pub(super) fn scalar(node: &Node) -> Option<Yaml> {
    use granit_parser::ScalarStyle;
    match &node.content {
        Content::Scalar(text, ScalarStyle::Plain) if !node.tagged => {
            serde_yaml::from_str(text).ok()
        }
        Content::Scalar(text, _) => Some(Yaml::String(text.clone())),
        _ => None,
    }
}

/// What a node is, in words.
pub(super) fn kind(node: &Node) -> &'static str {
    match (&node.content, scalar(node)) {
        (Content::List(..), _) => "a list",
        (Content::Map(..), _) => "a map",
        (Content::Alias(_), _) => "an alias (`*name`); write the value out",
        (_, Some(Yaml::Number(_))) => "a number",
        (_, Some(Yaml::Bool(_))) => "true or false",
        (_, Some(Yaml::Null)) => "nothing",
        _ => "a text",
    }
}
