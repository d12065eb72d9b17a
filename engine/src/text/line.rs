//! Setting one line of a file of `key = value` lines, found by its key and by nothing else.

/// Why a line cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// More than one line has the key.
    #[error("the key {key:?} stands on lines {lines}: which one is meant? Remove one, or use edit()")]
    Twice {
        /// The key.
        key: String,
        /// The lines, from 1.
        lines: String,
    },
    /// The key cannot be one.
    #[error("{0:?} cannot be a key: it is empty, or has a line break, `=` or `:` in it")]
    Key(String),
    /// The value would be more than one line.
    #[error("the value of {0:?} has a line break in it")]
    Value(String),
}

/// Sets `key` to `value`: its line is replaced (never a comment, never a longer key), or added at the end. The
/// separator is the line's own (`=`, ` = `, `: `) or, for a new line, `separator`.
pub fn set_line(text: &str, key: &str, value: &str, separator: &str) -> Result<String, LineError> {
    if key.is_empty() || key.contains(['\n', '\r', '=', ':']) {
        return Err(LineError::Key(key.to_owned()));
    }
    if value.contains(['\n', '\r']) {
        return Err(LineError::Value(key.to_owned()));
    }
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let found: Vec<(usize, &str)> = lines
        .iter()
        .enumerate()
        .filter_map(|(number, line)| head(line, key).map(|head| (number, head)))
        .collect();
    match found.as_slice() {
        [] => Ok(appended(text, &format!("{key}{separator}{value}"))),
        [(number, head)] => {
            let line = lines[*number];
            let end = &line[line.trim_end_matches(['\r', '\n']).len()..];
            let mut edited: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            edited[*number] = format!("{head}{value}{end}");
            Ok(edited.concat())
        }
        many => Err(LineError::Twice {
            key: key.to_owned(),
            lines: many.iter().map(|(number, _)| (number + 1).to_string()).collect::<Vec<_>>().join(", "),
        }),
    }
}

/// The part of a line up to its value, if the line sets this key.
fn head<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
    let after_key = line[indent..].strip_prefix(key)?;
    let rest = after_key.trim_start_matches([' ', '\t']);
    let after = rest.strip_prefix(['=', ':'])?;
    let value = after.trim_start_matches([' ', '\t']);
    Some(&line[..line.len() - value.len()])
}

fn appended(text: &str, line: &str) -> String {
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { end };
    format!("{text}{gap}{line}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(text: &str, key: &str, value: &str) -> String {
        set_line(text, key, value, "=").unwrap()
    }

    #[test]
    fn replaces_exactly_the_line_of_the_key() {
        assert_eq!(set("#a=1\nab=2\na = 3\n", "a", "9"), "#a=1\nab=2\na = 9\n");
        assert_eq!(set("a: 1\r\nb: 2\r\n", "a", "9"), "a: 9\r\nb: 2\r\n");
        assert_eq!(set("x=1", "a", "9"), "x=1\na=9\n");
        assert_eq!(set("", "a", "9"), "a=9\n");
    }

    #[test]
    fn refuses_what_it_cannot_decide() {
        let twice = set_line("a=1\nb=2\na=3\n", "a", "9", "=").unwrap_err().to_string();
        assert!(twice.contains("lines 1, 3"), "{twice}");
        assert!(set_line("", "a=b", "1", "=").is_err());
        assert!(set_line("", "a", "1\nb=2", "=").is_err());
    }

    proptest! {
        #[test]
        fn other_lines_survive_and_twice_is_once(
            lines in proptest::collection::vec("(#)?[b-z]{1,5}( = |=|: )[ -~]{0,8}", 0..8),
            value in "[ -~]{0,8}",
        ) {
            let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
            let once = set_line(&text, "a", value.trim(), "=").unwrap();
            prop_assert!(once.starts_with(&text));
            prop_assert_eq!(set_line(&once, "a", value.trim(), "=").unwrap(), once);
        }
    }
}
