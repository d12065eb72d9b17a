//! One style for every error that a person reads: what happened, where (with the line), what to do.

use std::fmt::Write as _;

use serde::Serialize;

use crate::model::SourcePosition;

use super::look::{Look, Tone};

/// How grave it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It does not work.
    Error,
    /// It works, but look.
    Warning,
}

/// A place in a text that a diagnostic points at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Where.
    pub position: SourcePosition,
    /// The whole text of that file, where it is at hand.
    #[serde(skip)]
    pub text: Option<String>,
    /// Characters to underline, from the position; 0 counts as 1.
    pub length: usize,
}

/// Something to tell a person about what they wrote or asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How grave.
    pub severity: Severity,
    /// A short stable name for programs, such as `RB007` (see `runbook check --explain`) or `parameter`.
    pub code: Option<String>,
    /// What happened, in one sentence.
    pub message: String,
    /// Where.
    pub place: Option<Place>,
    /// More about it.
    pub notes: Vec<String>,
    /// What to do.
    pub help: Vec<String>,
}

impl Diagnostic {
    /// An error of one sentence.
    pub fn error(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code: None,
            message: message.into(),
            place: None,
            notes: Vec::new(),
            help: Vec::new(),
        }
    }

    /// A warning of one sentence.
    pub fn warning(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(message)
        }
    }

    /// With a name for programs.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// With a place; `length` characters are underlined.
    #[must_use]
    pub fn at(mut self, position: SourcePosition, text: Option<String>, length: usize) -> Self {
        self.place = Some(Place {
            position,
            text,
            length,
        });
        self
    }

    /// With more about it.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// With what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// As text, with a line break at the end.
    pub fn render(&self, look: &Look) -> String {
        let (tone, word) = match self.severity {
            Severity::Error => (Tone::Bad, "error"),
            Severity::Warning => (Tone::Warn, "warning"),
        };
        // Codes that `runbook check --explain` knows; the others are names for programs.
        let code = self.code.as_deref().filter(|code| code.starts_with("RB"));
        let code = code.map(|code| format!("[{code}]")).unwrap_or_default();
        let mut out = format!("{} ", look.paint(tone, &format!("{word}{code}:")));
        out.push_str(&look.lines(&self.message).join("\n  "));
        out.push('\n');
        if let Some(place) = &self.place {
            place.render(look, tone, &mut out);
        }
        let words = self.notes.iter().map(|note| ("note:", note));
        for (word, text) in words.chain(self.help.iter().map(|help| ("help:", help))) {
            let text = look.lines(text).join("\n        ");
            // Writing into a String cannot fail.
            let _ = writeln!(out, "  {} {text}", look.paint(Tone::Cool, word));
        }
        out
    }

    /// As one JSON object.
    pub fn json(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("texts and numbers always have a JSON form")
    }
}

impl Place {
    fn render(&self, look: &Look, tone: Tone, out: &mut String) {
        let position = &self.position;
        let line = usize::try_from(position.line).unwrap_or(usize::MAX);
        let source = (self.text.as_deref()).and_then(|text| text.lines().nth(line.checked_sub(1)?));
        let place = look.paint(Tone::Cool, &look.line(&position.to_string()));
        let _ = writeln!(out, "  at {place}");
        let Some(source) = source else { return };
        let number = position.line.to_string();
        let room = look.width.saturating_sub(number.len() + 5).max(20);
        let column = usize::try_from(position.column).unwrap_or(1).max(1) - 1;
        let length = self.length.max(word_at(source, column));
        let (shown, before, under) = excerpt(look, source, column, length, room);
        let _ = writeln!(out, "  {number} | {shown}");
        let _ = writeln!(
            out,
            "  {:gap$} | {:before$}{}",
            "",
            "",
            look.paint(tone, &"^".repeat(under)),
            gap = number.len()
        );
    }
}

/// The length of the word that begins at a place, at least 1: where only a place is known, the word there is meant.
fn word_at(source: &str, column: usize) -> usize {
    let word = source.chars().skip(column);
    word.take_while(|c| c.is_alphanumeric() || *c == '_')
        .count()
        .max(1)
}

/// The part of a line that fits, with the columns before the underline and its length. Measured after the
/// line was made safe, so that the underline stands where the reader sees the place.
fn excerpt(
    look: &Look,
    source: &str,
    column: usize,
    length: usize,
    room: usize,
) -> (String, usize, usize) {
    let show = |text: String| look.line(&text.replace('\t', "    "));
    let characters: Vec<char> = source.chars().collect();
    let column = column.min(characters.len());
    let end = column.saturating_add(length).min(characters.len());
    // A long line is shown from a little before the place.
    let from = if end > room {
        column.saturating_sub(room / 3)
    } else {
        0
    };
    let piece = |from: usize, to: usize| show(characters[from..to].iter().collect());
    let before = piece(from, column);
    let marked = piece(column, end);
    let lead = if from > 0 { "..." } else { "" };
    let whole = format!("{lead}{}", piece(from, characters.len()));
    let shown: String = if whole.chars().count() > room {
        whole
            .chars()
            .take(room.saturating_sub(3))
            .chain("...".chars())
            .collect()
    } else {
        whole
    };
    let before = lead.len() + before.chars().count();
    let under = marked.chars().count().max(1);
    (shown, before, under.min(room.saturating_sub(before).max(1)))
}

/// Several diagnostics, an empty line between them.
pub fn render_all(diagnostics: &[Diagnostic], look: &Look) -> String {
    let texts: Vec<String> = diagnostics.iter().map(|one| one.render(look)).collect();
    texts.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Diagnostic {
        Diagnostic::error("there is no parameter `lan_ifcae`")
            .code("RB007")
            .at(
                SourcePosition {
                    file: "mtu.rhai".into(),
                    line: 2,
                    column: 9,
                },
                Some("let x = 1;\nk(node, param(\"lan_ifcae\"));\n".into()),
                18,
            )
            .help("did you mean `lan_iface`?")
    }

    #[test]
    fn points_at_the_place() {
        let wanted = "\
error[RB007]: there is no parameter `lan_ifcae`
  at mtu.rhai:2:9
  2 | k(node, param(\"lan_ifcae\"));
    |         ^^^^^^^^^^^^^^^^^^
  help: did you mean `lan_iface`?
";
        assert_eq!(example().render(&Look::plain(80)), wanted);
    }

    #[test]
    fn a_place_outside_of_the_text_does_not_panic() {
        let mut diagnostic = example();
        for (line, column, width) in [(0, 0, 80), (99, 1, 80), (2, 9999, 3), (1, 1, 0)] {
            let place = diagnostic.place.as_mut().unwrap();
            place.position.line = line;
            place.position.column = column;
            diagnostic.render(&Look::plain(width));
        }
    }

    #[test]
    fn json_has_no_source_text() {
        let json = example().json().to_string();
        assert!(json.contains("RB007") && !json.contains("let x"), "{json}");
    }
}
