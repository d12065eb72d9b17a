//! The texts that a lab is described in, and where in them a mistake is.
//!
//! A lab is read as data, laid over the lab that it extends, and understood then: what is wrong is known by its path in
//! the whole, and looked up in the texts again.

use std::fmt;

use serde_path_to_error::Segment;

use super::LabError;
use crate::text::mistake::{Mistake, Source};
use crate::text::yaml::tree::{Content, Node, Place, read};

/// One step of a path in a description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Into a map.
    Key(String),
    /// Into a list.
    Item(usize),
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Step {
    fn from(item: usize) -> Self {
        Self::Item(item)
    }
}

/// What is wrong with a lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Something in its description.
    Description {
        /// Where.
        path: Vec<Step>,
        /// What.
        why: String,
    },
    /// One of its Rhai texts, which the message names.
    Behaviour(String),
}

impl Wrong {
    /// Something at a place of the description.
    pub fn at<const N: usize>(path: [Step; N], why: impl fmt::Display) -> Self {
        Self::Description {
            path: path.into(),
            why: why.to_string(),
        }
    }

    /// The same, of which the path begins within a host.
    pub fn of_host(self, name: &str) -> Self {
        match self {
            Self::Description { path, why } => {
                let host = ["hosts".into(), name.into()];
                let path = host.into_iter().chain(path).collect();
                Self::Description { path, why }
            }
            behaviour => behaviour,
        }
    }

    /// What serde did not understand.
    pub fn of_type(error: &serde_path_to_error::Error<serde_json::Error>) -> Self {
        let steps = error.path().iter().filter_map(|segment| match segment {
            Segment::Seq { index } => Some(Step::Item(*index)),
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Enum { .. } | Segment::Unknown => None,
        });
        Self::Description {
            path: steps.collect(),
            why: error.inner().to_string(),
        }
    }
}

/// One file of a lab's description.
#[derive(Clone, Debug)]
pub struct LabText {
    /// As the user named it.
    pub file: String,
    /// Its text.
    pub text: String,
}

impl LabText {
    fn source(&self) -> Source<'_> {
        Source {
            name: &self.file,
            text: &self.text,
        }
    }

    /// A mistake that the parser of YAML found.
    pub fn unreadable(&self, error: &serde_yaml::Error) -> Mistake {
        let why = error.to_string();
        match error.location() {
            Some(at) => {
                let place = Place {
                    line: at.line() as u32,
                    column: at.column() as u32,
                };
                let why = why.split(" at line ").next().unwrap_or(&why).to_owned();
                self.source().point(place, 1, why)
            }
            None => self.source().whole(why),
        }
    }

    /// A mistake that concerns a key at the top, or all of it.
    pub fn mistaken(&self, key: &str, why: impl Into<String>) -> Mistake {
        let tree = read(&self.text).ok().and_then(|document| document.root);
        let entry = tree.as_ref().and_then(|root| entry(root, key));
        match entry {
            Some((_, value)) => self.source().at(value, why),
            None => self.source().whole(why),
        }
    }
}

/// The files of a lab's description, those of the labs that it extends first.
#[derive(Clone, Debug, Default)]
pub struct LabTexts(pub Vec<LabText>);

impl LabTexts {
    /// The error that tells what is wrong where it is written.
    pub fn error(&self, wrong: Wrong) -> LabError {
        match wrong {
            Wrong::Behaviour(why) => LabError::Behaviour(why),
            Wrong::Description { path, why } => LabError::Definition(self.mistake(&path, &why)),
        }
    }

    /// The text that has most of the path, of the last of those the last.
    fn mistake(&self, path: &[Step], why: &str) -> Mistake {
        let message = match path {
            [] => why.to_owned(),
            path => format!("{}: {why}", written(path)),
        };
        let (mut best, mut depth) = (None, 0);
        for text in &self.0 {
            let root = read(&text.text).ok().and_then(|document| document.root);
            let Some(root) = root else { continue };
            let (mut node, found) = follow(&root, path);
            // Not what the key says is wrong then, but the key.
            if why.starts_with("unknown field") && found == path.len() {
                node = node_of_key(&root, path).unwrap_or(node);
            }
            if best.is_none() || found >= depth {
                depth = found;
                best = Some(text.source().at(node, message.clone()));
            }
        }
        best.unwrap_or_else(|| {
            let file = self.0.last();
            let name = file.map_or("the lab", |text| text.file.as_str());
            Source { name, text: "" }.whole(message)
        })
    }
}

/// The node that a path leads to, or as far as it leads, and how many of its steps that are. Of a map or a list the key
/// is given, so that one line is meant.
fn follow<'a>(root: &'a Node, path: &[Step]) -> (&'a Node, usize) {
    let (mut node, mut shown) = (root, root);
    for (depth, step) in path.iter().enumerate() {
        let next = match (step, &node.content) {
            (Step::Key(key), Content::Map(..)) => entry(node, key),
            (Step::Item(item), Content::List(items, _)) => {
                items.get(*item).map(|item| (item, item))
            }
            _ => None,
        };
        let Some((key, value)) = next else {
            return (shown, depth);
        };
        node = value;
        shown = match value.content {
            Content::Scalar(..) if !value.is_empty() => value,
            _ => key,
        };
    }
    (shown, path.len())
}

fn node_of_key<'a>(root: &'a Node, path: &[Step]) -> Option<&'a Node> {
    let (Step::Key(key), above) = path.split_last()? else {
        return None;
    };
    let map = above
        .iter()
        .try_fold(root, |node, step| match (step, &node.content) {
            (Step::Key(key), _) => entry(node, key).map(|(_, value)| value),
            (Step::Item(item), Content::List(items, _)) => items.get(*item),
            _ => None,
        });
    entry(map?, key).map(|(key, _)| key)
}

fn entry<'a>(map: &'a Node, key: &str) -> Option<(&'a Node, &'a Node)> {
    let Content::Map(entries, _) = &map.content else {
        return None;
    };
    let (key, value) = entries.iter().find(|(name, _)| name.text() == Some(key))?;
    Some((key, value))
}

/// `hosts.web-1.interfaces[0].mtu`.
fn written(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Item(item) => text.push_str(&format!("[{item}]")),
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => {
                text.push('.');
                text.push_str(key);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> LabTexts {
        let texts = texts.iter().enumerate();
        LabTexts(
            texts
                .map(|(nth, text)| LabText {
                    file: format!("{nth}.yaml"),
                    text: (*text).to_owned(),
                })
                .collect(),
        )
    }

    fn place(mistake: &Mistake) -> (&str, Option<(u32, u32)>) {
        (&mistake.file, mistake.place)
    }

    #[test]
    fn a_mistake_is_found_in_the_text_that_says_it() {
        let texts = texts(&[
            "hosts:\n  a:\n    role: plain\n    mtu: 5\n",
            "hosts:\n  a:\n    mtu: many\n",
        ]);
        let steps = |last: &str| ["hosts".into(), "a".into(), last.into()];
        let mistake = texts.mistake(&steps("mtu"), "no number");
        assert_eq!(place(&mistake), ("1.yaml", Some((3, 10))));
        assert!(mistake.to_string().contains("hosts.a.mtu: no number"));
        assert_eq!(
            place(&texts.mistake(&steps("role"), "")),
            ("0.yaml", Some((3, 11)))
        );
        // What is not written is missed where it belongs.
        assert_eq!(
            place(&texts.mistake(&steps("title"), "")),
            ("1.yaml", Some((2, 3)))
        );
    }

    #[test]
    fn paths_lead_through_lists_and_end_at_repeated_parts() {
        let texts = texts(&["list: [{x: 1}, {x: 2}]\nunit: &u {a: 1}\nagain: *u\n"]);
        let mistake = texts.mistake(&["list".into(), 1.into(), "x".into()], "");
        assert_eq!(place(&mistake), ("0.yaml", Some((1, 20))));
        let mistake = texts.mistake(&["again".into(), "a".into()], "");
        assert_eq!(place(&mistake), ("0.yaml", Some((3, 1))));
    }
}
