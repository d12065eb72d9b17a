//! What is wrong with a file that a user wrote, and where.

use std::fmt;

use super::yaml::tree::{Node, Place, TreeError};

/// An error with its place in the file. Written out, it names `file:line:column`, quotes the line and underlines what
/// is meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Mistake {
    /// What is wrong.
    pub message: String,
    /// The file, as the user named it.
    pub file: String,
    /// Line and column, from 1; none where the file as a whole is meant.
    pub place: Option<(u32, u32)>,
    /// How many characters to underline.
    pub length: usize,
    /// The line that is meant.
    pub line: Option<String>,
    /// What to do.
    pub help: Option<String>,
}

impl Mistake {
    /// With what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<Option<String>>) -> Self {
        self.help = help.into();
        self
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some((line, column)) => {
                write!(f, "{}:{line}:{column}: {}", self.file, self.message)?;
                if let Some(quoted) = &self.line {
                    let number = line.to_string();
                    let margin = " ".repeat(number.len());
                    // Tabs keep their width, so that the mark stands where it should.
                    let before = quoted.chars().take(column.saturating_sub(1) as usize);
                    let gap: String = before.map(|c| if c == '\t' { c } else { ' ' }).collect();
                    write!(
                        f,
                        "\n{margin} |\n{number} | {quoted}\n{margin} | {gap}{}",
                        "^".repeat(self.length)
                    )?;
                }
            }
            None => write!(f, "{}: {}", self.file, self.message)?,
        }
        match &self.help {
            Some(help) => write!(f, "\nhelp: {help}"),
            None => Ok(()),
        }
    }
}

/// The text that errors point into.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    /// The file, as the user named it.
    pub name: &'a str,
    /// What is in it.
    pub text: &'a str,
}

impl Source<'_> {
    /// An error about the file as a whole.
    pub fn whole(&self, message: impl Into<String>) -> Mistake {
        Mistake {
            message: message.into(),
            file: self.name.to_owned(),
            place: None,
            length: 0,
            line: None,
            help: None,
        }
    }

    /// An error about a node: all of it where it is on one line, else its first line.
    pub fn at(&self, node: &Node, message: impl Into<String>) -> Mistake {
        let written = self.text.get(node.range.clone()).unwrap_or_default();
        let first = written.lines().next().unwrap_or_default();
        self.point(node.place, first.trim_end().chars().count(), message)
    }

    /// An error of the parser.
    pub fn unreadable(&self, error: &TreeError) -> Mistake {
        self.point(error.place, error.length, error.why.clone())
    }

    /// An error about some characters from a place on.
    pub fn point(&self, place: Place, length: usize, message: impl Into<String>) -> Mistake {
        Mistake {
            place: Some((place.line, place.column)),
            length: length.max(1),
            line: self
                .text
                .lines()
                .nth(place.line.saturating_sub(1) as usize)
                .map(str::to_owned),
            ..self.whole(message)
        }
    }
}
