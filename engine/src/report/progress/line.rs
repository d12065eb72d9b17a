//! One line of the display: pieces of text with their meaning, and a time at the right edge. Never wider than it may be.

use unicode_width::UnicodeWidthChar;

use crate::report::look::{Look, Tone};

/// A line that fits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line(Vec<(Tone, String)>);

impl Line {
    /// `left` as far as there is room, `right` at the right edge of `width` columns. The texts must be safe to print
    /// ([`Look::line`]).
    pub fn fitted(look: &Look, width: usize, left: Vec<(Tone, String)>, right: &str) -> Self {
        let reserved = match columns(right) {
            0 => 0,
            taken if taken + 12 > width => 0,
            taken => taken + 2,
        };
        let mut room = width.saturating_sub(reserved);
        let mut pieces = Vec::new();
        for (tone, text) in left {
            let text = clipped(look, &text, room);
            room -= columns(&text);
            pieces.push((tone, text));
        }
        if reserved > 0 {
            pieces.push((Tone::Plain, " ".repeat(room + 2)));
            pieces.push((Tone::Dim, right.to_owned()));
        }
        Self(pieces)
    }

    /// The line without colours.
    #[cfg(test)]
    pub fn text(&self) -> String {
        let text: String = self.0.iter().map(|(_, text)| text.as_str()).collect();
        text.trim_end().to_owned()
    }

    /// The line in the colours of the terminal.
    pub fn painted(&self, look: &Look) -> String {
        let pieces = self.0.iter().map(|(tone, text)| look.paint(*tone, text));
        pieces.collect()
    }
}

/// Columns that a text takes.
pub fn columns(text: &str) -> usize {
    text.chars().filter_map(UnicodeWidthChar::width).sum()
}

/// As much of a text as fits into `room` columns; what is left out is marked.
pub fn clipped(look: &Look, text: &str, room: usize) -> String {
    // Terminals disagree on the width of what this selector makes of the character before it.
    let text = text.replace('\u{fe0f}', "");
    if columns(&text) <= room {
        return text;
    }
    let mark = look.mark("…", "...");
    let mark = if columns(mark) > room { "" } else { mark };
    let room = room - columns(mark);
    let mut taken = 0;
    let mut out = String::new();
    for character in text.chars() {
        let width = character.width().unwrap_or(0);
        if taken + width > room {
            break;
        }
        taken += width;
        out.push(character);
    }
    out + mark
}
