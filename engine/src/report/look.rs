//! How text may look where it is printed: colours, characters, width.

use super::safe;

/// What the place that is printed to can show.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Whether escape sequences for colours may be written.
    pub color: bool,
    /// Whether it shows more than ASCII.
    pub unicode: bool,
    /// Columns.
    pub width: usize,
}

/// What a piece of text means; each has a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    Plain,
    /// A title.
    Strong,
    /// Beside the point.
    Dim,
    /// Well.
    Good,
    /// Changed, or a warning.
    Warn,
    /// Failed.
    Bad,
    /// A place or a hint.
    Cool,
}

impl Look {
    /// Plain text of a width: what a file or a pipe gets.
    pub fn plain(width: usize) -> Self {
        Self {
            color: false,
            unicode: true,
            width,
        }
    }

    /// The text in the colour of a tone, where there are colours.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Strong => "1",
            Tone::Dim => "2",
            Tone::Good => "32",
            Tone::Warn => "33",
            Tone::Bad => "1;31",
            Tone::Cool => "36",
        };
        if self.color && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// One safe line of a text that came from elsewhere.
    pub fn line(&self, text: &str) -> String {
        self.charset(safe::line(text))
    }

    /// Safe lines of a text that came from elsewhere.
    pub fn lines(&self, text: &str) -> Vec<String> {
        safe::lines(text)
            .into_iter()
            .map(|line| self.charset(line))
            .collect()
    }

    /// A mark in the characters that can be shown.
    pub fn mark(&self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.unicode { unicode } else { ascii }
    }

    /// A unified diff, safe, indented, coloured.
    pub fn diff(&self, indent: usize, diff: &str) -> Vec<String> {
        self.lines(diff)
            .into_iter()
            .map(|line| {
                let tone = match line.as_bytes().first() {
                    Some(b'+') => Tone::Good,
                    Some(b'-') => Tone::Bad,
                    Some(b'@') => Tone::Cool,
                    _ => Tone::Plain,
                };
                format!("{:indent$}{}", "", self.paint(tone, &line))
            })
            .collect()
    }

    fn charset(&self, text: String) -> String {
        if self.unicode || text.is_ascii() {
            return text;
        }
        text.chars()
            .map(|character| match character {
                '…' => "...".to_owned(),
                '‹' => "<".to_owned(),
                '›' => ">".to_owned(),
                // The lines of a drawing keep their widths.
                '─' | '═' => "-".to_owned(),
                '│' => "|".to_owned(),
                '┌' | '┐' | '└' | '┘' => "+".to_owned(),
                _ if character.is_ascii() => character.to_string(),
                _ => format!("\\u{{{:x}}}", character as u32),
            })
            .collect()
    }
}

/// A span of time for people: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`.
pub fn elapsed(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0..10 => format!("{}.{} s", seconds, milliseconds % 1000 / 100),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `1 change`, `2 changes`.
pub fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_like_speech() {
        let shown = [400, 12_000, 200_000, 7_500_000].map(elapsed);
        assert_eq!(shown, ["0.4 s", "12 s", "3 min 20 s", "2 h 5 min"]);
    }

    #[test]
    fn ascii_terminals_get_ascii() {
        let look = Look {
            unicode: false,
            ..Look::plain(80)
        };
        assert_eq!(look.line("‹unknown› é…"), "<unknown> \\u{e9}...");
        assert_eq!(look.lines("┌─ a ═┐\n│     │"), ["+- a -+", "|     |"]);
    }
}
