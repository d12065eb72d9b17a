//! Where a value goes in a text, and what is written there.

use std::ops::Range;

use granit_parser::ScalarStyle;

use super::YamlError;
use super::scalar::{Wanted, key as written_key};
use super::tree::{Content, Document, Layout, Node};

/// One change of a text: these bytes become this.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Edit {
    pub range: Range<usize>,
    pub new: String,
}

/// The text being edited.
pub(super) struct Splice<'a> {
    pub text: &'a str,
    pub document: &'a Document,
    pub wanted: &'a Wanted,
}

impl Splice<'_> {
    /// The edit that sets the value at `path`; none if it is there already.
    pub fn at(&self, path: &[&str]) -> Result<Option<Edit>, YamlError> {
        let root = self.document.root.as_ref();
        let Some(root) = root.filter(|root| !root.is_empty()) else {
            // A file that is nothing but an anchor would give it to what is written now.
            root.map_or(Ok(()), |root| self.untangled(root))?;
            return Ok(Some(self.lines(self.document.end, "", path)));
        };
        let mut around = root;
        for (depth, key) in path.iter().enumerate() {
            let rest = &path[depth..];
            self.untangled(around)?;
            let Content::Map(entries, layout) = &around.content else {
                let outer = depth.checked_sub(1).map_or("the file", |outer| path[outer]);
                return Err(unsafe_at(
                    around,
                    format!("`{outer}` is not a map, so `{key}` has no place in it"),
                ));
            };
            let Some((name, value)) = entries.iter().find(|(name, _)| name.text() == Some(key))
            else {
                return self
                    .insert(around, entries, *layout, depth == 0, rest)
                    .map(Some);
            };
            if depth + 1 == path.len() {
                return self.replace(name, value, *layout);
            }
            if value.is_null() {
                return self
                    .begin_map(name, value, *layout, &path[depth + 1..])
                    .map(Some);
            }
            around = value;
        }
        Err(YamlError::Value("set_yaml needs the name of a key".into()))
    }

    /// Refuses nodes whose change would change others, or whose meaning is not in what is written here.
    fn untangled(&self, node: &Node) -> Result<(), YamlError> {
        if let Content::Alias(_) = node.content {
            return Err(unsafe_at(
                node,
                "the value is an alias (`*name`) of another one",
            ));
        }
        if node.anchored {
            return Err(unsafe_at(
                node,
                "the value is an anchor (`&name`) that others may repeat",
            ));
        }
        if node.tagged {
            return Err(unsafe_at(node, "the value has a tag (`!…`)"));
        }
        Ok(())
    }

    fn replace(&self, key: &Node, value: &Node, layout: Layout) -> Result<Option<Edit>, YamlError> {
        if self.wanted.is_said_by(value) {
            return Ok(None);
        }
        self.untangled(value)?;
        let new = || self.wanted.written(layout, Some(value));
        match &value.content {
            _ if value.is_empty() => {
                let at = self.after_colon(key)?;
                Ok(Some(Edit {
                    range: at..at,
                    new: format!(" {}", new()),
                }))
            }
            Content::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded) => Err(unsafe_at(
                value,
                "the value is a block of text (`|` or `>`)",
            )),
            Content::List(items, Layout::Block) => {
                self.replace_block_list(key, value, items).map(Some)
            }
            Content::Map(entries, _) if !entries.is_empty() => Err(unsafe_at(
                value,
                "the value is a map, and a single value would replace all of it",
            )),
            _ => {
                self.no_comment_in(value, &value.range)?;
                Ok(Some(Edit {
                    range: value.range.clone(),
                    new: new(),
                }))
            }
        }
    }

    /// Replaces a list of `- item` lines, leaving the items at its head that stay.
    fn replace_block_list(&self, key: &Node, list: &Node, old: &[Node]) -> Result<Edit, YamlError> {
        let (Wanted::Many(new), false) = (
            self.wanted,
            matches!(self.wanted, Wanted::Many(new) if new.is_empty()),
        ) else {
            let range = self.after_colon(key)?..list.range.end;
            self.no_comment_in(list, &range)?;
            return Ok(Edit {
                range,
                new: format!(" {}", self.wanted.written(Layout::Block, None)),
            });
        };
        if let Some(nested) = old
            .iter()
            .find(|item| !matches!(item.content, Content::Scalar(..)) || item.tagged)
        {
            return Err(unsafe_at(nested, "the list holds more than single values"));
        }
        if let Some(anchor) = old.iter().find(|item| item.anchored) {
            return Err(unsafe_at(
                anchor,
                "the list holds an anchor (`&name`) that others may repeat",
            ));
        }
        let (Some(first), Some(last)) = (old.first(), old.last()) else {
            return Err(unsafe_at(list, "the list is empty in an unusual way"));
        };
        let head = &self.text[self.line_start(first.range.start)..first.range.start];
        if head.trim() != "-" {
            return Err(unsafe_at(
                list,
                "the list does not start on a line of its own",
            ));
        }
        let kept = old
            .iter()
            .zip(new)
            .take_while(|(old, new)| new.is_said_by(old))
            .count();
        let style = super::scalar::style(first);
        let lines = new[kept..]
            .iter()
            .map(|item| format!("{head}{}", item.written(Layout::Block, style)));
        let end = self.line_end(last.range.end);
        let range = match (kept, old.get(kept)) {
            // From the start of the first line that changes, or from the end of the last one that stays.
            (_, Some(changed)) if kept < new.len() => self.line_start(changed.range.start)..end,
            _ => self.line_end(old[kept - 1].range.end)..end,
        };
        self.no_comment_in(list, &range)?;
        let lines: Vec<String> = lines.collect();
        let joined = lines.join(self.newline());
        let gap = if range.is_empty() { self.newline() } else { "" };
        Ok(Edit {
            range,
            new: format!("{gap}{joined}"),
        })
    }

    /// Adds the keys of `rest` to a map that lacks the first of them.
    fn insert(
        &self,
        map: &Node,
        entries: &[(Node, Node)],
        layout: Layout,
        is_root: bool,
        rest: &[&str],
    ) -> Result<Edit, YamlError> {
        if let Some((merge, _)) = entries.iter().find(|(name, _)| name.text() == Some("<<")) {
            return Err(unsafe_at(
                merge,
                format!("`{}` may already come from what `<<` merges in", rest[0]),
            ));
        }
        match (layout, entries.last()) {
            (Layout::Flow, None) if is_root => {
                let lines = self.lines(map.range.start, "", rest);
                Ok(Edit {
                    range: map.range.clone(),
                    new: lines.new.trim_end().to_owned(),
                })
            }
            (Layout::Flow, None) => Ok(Edit {
                range: map.range.clone(),
                new: format!("{{{}}}", self.in_braces(rest)),
            }),
            (Layout::Flow, Some((name, value))) => {
                let at = name.range.end.max(value.range.end);
                Ok(Edit {
                    range: at..at,
                    new: format!(", {}", self.in_braces(rest)),
                })
            }
            (Layout::Block, last) => {
                let (Some((first, _)), Some((name, value))) = (entries.first(), last) else {
                    return Err(unsafe_at(map, "the map is empty in an unusual way"));
                };
                let start = self.line_start(first.range.start);
                let pad = self.text[start..first.range.start].trim_start_matches('\u{feff}');
                if !pad.bytes().all(|byte| byte == b' ') {
                    return Err(unsafe_at(
                        first,
                        "the map does not start on a line of its own",
                    ));
                }
                let end = name.range.end.max(value.range.end);
                let at = if is_root {
                    self.document.end
                } else {
                    self.after_line(end)
                };
                Ok(self.lines(at, pad, rest))
            }
        }
    }

    /// Makes a map of a key that has no value yet.
    fn begin_map(
        &self,
        key: &Node,
        value: &Node,
        layout: Layout,
        rest: &[&str],
    ) -> Result<Edit, YamlError> {
        self.untangled(value)?;
        if !value.is_empty() {
            return Ok(Edit {
                range: value.range.clone(),
                new: format!("{{{}}}", self.in_braces(rest)),
            });
        }
        let colon = self.after_colon(key)?;
        if layout == Layout::Flow {
            return Ok(Edit {
                range: colon..colon,
                new: format!(" {{{}}}", self.in_braces(rest)),
            });
        }
        let outer = key.range.start - self.line_start(key.range.start);
        let pad = " ".repeat(outer + self.unit());
        Ok(self.lines(self.after_line(colon), &pad, rest))
    }

    /// The keys and the value as lines of a block, added at a byte where a line starts or the text ends.
    fn lines(&self, at: usize, pad: &str, keys: &[&str]) -> Edit {
        let newline = self.newline();
        let step = " ".repeat(self.unit());
        let mut lines = Vec::new();
        for (depth, key) in keys.iter().enumerate() {
            let value = match depth + 1 == keys.len() {
                true => format!(" {}", self.wanted.written(Layout::Block, None)),
                false => String::new(),
            };
            lines.push(format!(
                "{pad}{}{}:{value}",
                step.repeat(depth),
                written_key(key, Layout::Block)
            ));
        }
        let joined = lines.join(newline);
        let before = &self.text[..at];
        let starts_line = before.is_empty() || before.ends_with('\n') || before == "\u{feff}";
        // A text without a line break at its end stays one.
        let new = match starts_line {
            true => format!("{joined}{newline}"),
            false if at < self.text.len() => format!("{newline}{joined}{newline}"),
            false => format!("{newline}{joined}"),
        };
        Edit { range: at..at, new }
    }

    /// The keys and the value as they stand inside of braces.
    fn in_braces(&self, keys: &[&str]) -> String {
        let value = self.wanted.written(Layout::Flow, None);
        let mut out = String::new();
        for (depth, key) in keys.iter().enumerate() {
            let open = if depth == 0 { "" } else { "{" };
            out.push_str(&format!("{open}{}: ", written_key(key, Layout::Flow)));
        }
        let close = "}".repeat(keys.len().saturating_sub(1));
        format!("{out}{value}{close}")
    }

    /// The byte behind the colon of a key.
    fn after_colon(&self, key: &Node) -> Result<usize, YamlError> {
        let rest = &self.text[key.range.end..];
        let spaces = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        match rest[spaces..].starts_with(':') {
            true => Ok(key.range.end + spaces + 1),
            false => Err(unsafe_at(
                key,
                "the key is written in an unusual way (`? key`, or without a colon)",
            )),
        }
    }

    fn no_comment_in(&self, node: &Node, range: &Range<usize>) -> Result<(), YamlError> {
        let inside = self
            .document
            .comments
            .iter()
            .any(|comment| range.contains(&comment.start));
        if inside {
            Err(unsafe_at(
                node,
                "the value has comments inside, which would be lost",
            ))
        } else {
            Ok(())
        }
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }

    /// The end of a line, its break and what is white before that left out.
    fn line_end(&self, at: usize) -> usize {
        let rest = &self.text[at..];
        let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
        at + line.trim_end().len()
    }

    /// The start of the line after the one that holds the byte before `at`.
    fn after_line(&self, at: usize) -> usize {
        if self.text[..at].ends_with('\n') {
            return at;
        }
        self.text[at..]
            .find('\n')
            .map_or(self.text.len(), |newline| at + newline + 1)
    }

    fn newline(&self) -> &'static str {
        let first = self.text.find('\n').unwrap_or_default();
        if self.text[..first].ends_with('\r') {
            "\r\n"
        } else {
            "\n"
        }
    }

    /// How many spaces a level of this file has: those of its first nested map, else two.
    fn unit(&self) -> usize {
        self.document
            .root
            .as_ref()
            .and_then(first_step)
            .unwrap_or(2)
    }
}

fn first_step(node: &Node) -> Option<usize> {
    let Content::Map(entries, Layout::Block) = &node.content else {
        return None;
    };
    entries
        .iter()
        .find_map(|(key, value)| match &value.content {
            Content::Map(inner, Layout::Block) => {
                let (first, _) = inner.first()?;
                let step = first
                    .place
                    .column
                    .checked_sub(key.place.column)
                    .filter(|step| *step > 0)?;
                usize::try_from(step).ok()
            }
            _ => None,
        })
}

fn unsafe_at(node: &Node, why: impl Into<String>) -> YamlError {
    YamlError::Unsafe {
        line: node.place.line,
        why: why.into(),
    }
}
