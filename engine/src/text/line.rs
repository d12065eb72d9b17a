//! Setting one line of a file of `key = value` lines, found by its key and by nothing else.

/// Why a line cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// More than one line has the key.
    #[error(
        "the key {key:?} stands on lines {lines}: which one is meant? Remove one, or use edit()"
    )]
    Twice {
        /// The key.
        key: String,
        /// The lines, from 1.
        lines: String,
    },
    /// The key cannot be one.
    #[error("{key:?} cannot be a key: {why}")]
    Key {
        /// The key.
        key: String,
        /// Why.
        why: &'static str,
    },
    /// The value would be more than one line.
    #[error("the value of {0:?} has a line break in it; a line holds one value")]
    Value(String),
    /// The separator is none.
    #[error(
        "{0:?} is no separator; write \"=\", \":\" or \" \", with spaces around it as the file has them"
    )]
    Separator(String),
}

/// What stands between key and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Symbol {
    Equals,
    Colon,
    Space,
}

impl Symbol {
    fn of(separator: &str) -> Option<Self> {
        match separator.trim_matches([' ', '\t']) {
            "=" => Some(Self::Equals),
            ":" => Some(Self::Colon),
            "" if !separator.is_empty() => Some(Self::Space),
            _ => None,
        }
    }
}

/// Sets `key` to `value`: the line whose key is exactly this one is replaced, or a line is added at the end.
///
/// A line is `key=value`, `key = value`, `key: value`, or `key value` where `separator` is a space; its indentation and
/// the spaces around its separator stay. All that follows the separator is the value (files of this kind do not
/// agree on what a comment behind a value is). Lines that start with `#` or `;` are comments and stay. A new line is
/// written with `separator`, with the line ending of the first line; a file without a line break at its end
/// still has none. Sections (`[name]`) have no meaning here: a key that two sections have is refused.
pub fn set_line(text: &str, key: &str, value: &str, separator: &str) -> Result<String, LineError> {
    let symbol = Symbol::of(separator).ok_or_else(|| LineError::Separator(separator.to_owned()))?;
    if let Some(why) = unfit(key, symbol) {
        return Err(LineError::Key {
            key: key.to_owned(),
            why,
        });
    }
    if value.contains(['\n', '\r']) {
        return Err(LineError::Value(key.to_owned()));
    }
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let found: Vec<(usize, usize)> = lines
        .iter()
        .enumerate()
        .filter_map(|(number, line)| value_start(line, key, symbol).map(|start| (number, start)))
        .collect();
    match found.as_slice() {
        [] => Ok(appended(text, &format!("{key}{separator}{value}"))),
        [(number, start)] => {
            let replaced = replaced(lines[*number], *start, value, separator);
            let (before, after) = (lines[..*number].concat(), lines[number + 1..].concat());
            Ok(format!("{before}{replaced}{after}"))
        }
        many => Err(LineError::Twice {
            key: key.to_owned(),
            lines: many
                .iter()
                .map(|(number, _)| (number + 1).to_string())
                .collect::<Vec<_>>()
                .join(", "),
        }),
    }
}

fn unfit(key: &str, symbol: Symbol) -> Option<&'static str> {
    if key.is_empty() {
        Some("it is empty")
    } else if key.contains(['\n', '\r']) {
        Some("it has a line break in it")
    } else if key.trim() != key {
        Some("it begins or ends with a space")
    } else if key.starts_with('\u{feff}') {
        Some("it begins with a byte order mark")
    } else if key.starts_with(['#', ';']) {
        Some("a line that starts like this is a comment")
    } else if key.contains('=') || (symbol == Symbol::Colon && key.contains(':')) {
        Some("it has the separator in it")
    } else if symbol == Symbol::Space && key.contains([' ', '\t']) {
        Some("it has the separator, a space, in it")
    } else {
        None
    }
}

/// The byte behind the separator, if the line sets this key.
fn value_start(line: &str, key: &str, symbol: Symbol) -> Option<usize> {
    let line = line.trim_end_matches(['\r', '\n']);
    // A byte order mark stands before the first line of some files.
    let rest = line
        .trim_start_matches('\u{feff}')
        .trim_start_matches([' ', '\t']);
    let rest = rest.strip_prefix(key)?;
    let spaced = rest.trim_start_matches([' ', '\t']);
    let after = match spaced.strip_prefix('=') {
        Some(after) => Some(after),
        // `a:b=1` sets the key `a:b`, unless colons separate in this file.
        None => spaced.strip_prefix(':').filter(|after| {
            symbol == Symbol::Colon || after.is_empty() || after.starts_with([' ', '\t'])
        }),
    };
    match (after, symbol) {
        (Some(after), _) => Some(line.len() - after.len()),
        (None, Symbol::Space) if rest.is_empty() => Some(line.len()),
        (None, Symbol::Space) if spaced.len() < rest.len() => Some(line.len() - rest.len()),
        _ => None,
    }
}

/// The line with another value.
fn replaced(line: &str, start: usize, value: &str, separator: &str) -> String {
    let content = line.trim_end_matches(['\r', '\n']);
    let (head, old) = content.split_at(start);
    let end = &line[content.len()..];
    // Spaces at the start of a value cannot be told from those of the separator: this line may say it already.
    if old
        .strip_suffix(value)
        .is_some_and(|gap| gap.trim_matches([' ', '\t']).is_empty())
    {
        return line.to_owned();
    }
    let mut gap = &old[..old.len() - old.trim_start_matches([' ', '\t']).len()];
    if gap.is_empty() && old.is_empty() {
        let after = separator.trim_start_matches([' ', '\t']);
        gap = match head.ends_with(':') {
            true => " ",
            false if after.is_empty() => separator,
            false => &after[1..],
        };
    }
    format!("{head}{gap}{value}{end}")
}

fn appended(text: &str, line: &str) -> String {
    let first = text.find('\n').unwrap_or_default();
    let end = if text[..first].ends_with('\r') {
        "\r\n"
    } else {
        "\n"
    };
    match text {
        "" | "\u{feff}" => format!("{text}{line}{end}"),
        _ if text.ends_with('\n') => format!("{text}{line}{end}"),
        _ => format!("{text}{end}{line}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_that_begins_with_a_byte_order_mark_is_refused() {
        // It would be written, and then never be found again: every time one more line.
        let refused = set_line("a=1\n", "\u{feff}b", "2", "=");
        assert!(matches!(refused, Err(LineError::Key { .. })), "{refused:?}");
    }

    #[test]
    fn replaces_exactly_the_line_of_the_key() {
        let cases = [
            ("#a=1\nab=2\na = 3\n", "=", "#a=1\nab=2\na = 9\n"),
            ("; a=1\n # a=1\na=3\n", "=", "; a=1\n # a=1\na=9\n"),
            (
                "a-b=1\na.b=1\nba=1\nA=1\na=1\n",
                "=",
                "a-b=1\na.b=1\nba=1\nA=1\na=9\n",
            ),
            ("  a\t=\t3\nb=a=1\n", "=", "  a\t=\t9\nb=a=1\n"),
            ("a=\n", "=", "a=9\n"),
            ("a=\n", " = ", "a= 9\n"),
            ("a:\n", "=", "a: 9\n"),
            ("a = 1=2 # x\n", "=", "a = 9\n"),
            ("a: 1\r\nb: 2\r\n", "=", "a: 9\r\nb: 2\r\n"),
            ("a=1\n", ": ", "a=9\n"),
            ("a:b=1\n", "=", "a:b=1\na=9\n"),
            ("a:1\n", ":", "a:9\n"),
            ("a b c\naa 1\n", " ", "a 9\naa 1\n"),
            ("a\n", " ", "a 9\n"),
            ("a b=1\n", "=", "a b=1\na=9\n"),
            ("\u{feff}a=1\n", "=", "\u{feff}a=9\n"),
            ("a=1", "=", "a=9"),
            ("b=1\na=9\n", "=", "b=1\na=9\n"),
        ];
        for (before, separator, after) in cases {
            assert_eq!(
                set_line(before, "a", "9", separator).as_deref(),
                Ok(after),
                "{before:?}"
            );
        }
    }

    #[test]
    fn adds_a_missing_line_at_the_end() {
        let cases = [
            ("", "=", "a=9\n"),
            ("x=1\n", " = ", "x=1\na = 9\n"),
            ("x=1", "=", "x=1\na=9"),
            ("x=1\r\n", "=", "x=1\r\na=9\r\n"),
            ("x=1\r\ny=2", "=", "x=1\r\ny=2\r\na=9"),
            ("\n", ": ", "\na: 9\n"),
            ("#a=1\n", "=", "#a=1\na=9\n"),
        ];
        for (before, separator, after) in cases {
            assert_eq!(
                set_line(before, "a", "9", separator).as_deref(),
                Ok(after),
                "{before:?}"
            );
        }
    }

    #[test]
    fn refuses_what_it_cannot_decide() {
        let twice = set_line("a=1\nb=2\n[s]\na=3\n", "a", "9", "=").unwrap_err();
        assert!(twice.to_string().contains("lines 1, 4"), "{twice}");
        for (key, value, separator) in [
            ("a=b", "1", "="),
            ("a:b", "1", ":"),
            ("a b", "1", " "),
            ("", "1", "="),
            (" a", "1", "="),
            ("#a", "1", "="),
            ("a\nb", "1", "="),
            ("a", "1\nb=2", "="),
            ("a", "1\r", "="),
            ("a", "1", ""),
            ("a", "1", "->"),
            ("a", "1", "\n"),
        ] {
            assert!(
                set_line("", key, value, separator).is_err(),
                "{key:?} {value:?} {separator:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn other_lines_survive_and_twice_is_once(
            lines in proptest::collection::vec("[#; ]{0,2}[b-z]{1,5}( = |=|: )[ -~]{0,8}\r?", 0..6),
            ours in proptest::option::of("[ \t]{0,2}a[ ]{0,2}(=|: )[ -~]{0,8}"),
            at in 0usize..6,
            value in "[ -~]{0,8}",
            separator in "=| = |: |:|\t= ",
        ) {
            let mut all = lines.clone();
            if let Some(ours) = &ours {
                all.insert(at.min(all.len()), ours.clone());
            }
            let text = all.iter().map(|line| format!("{line}\n")).collect::<String>();
            let once = set_line(&text, "a", &value, &separator).unwrap();
            let others: Vec<&str> = once.split_terminator('\n').filter(|line| !line.trim_start().starts_with('a')).collect();
            prop_assert_eq!(others, lines.iter().map(String::as_str).collect::<Vec<_>>());
            prop_assert_eq!(once.matches('\n').count(), lines.len() + 1);
            prop_assert!(once.split('\n').any(|line| line.trim_start().starts_with('a') && line.trim_end_matches('\r').ends_with(&value)));
            prop_assert_eq!(set_line(&once, "a", &value, &separator).unwrap(), once);
        }
    }
}
