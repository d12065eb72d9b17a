//! Words become arguments: variables, command substitution, splitting, paths with `*`.

use super::parse::{Part, Word};
use super::run::run;
use crate::lab::program::{Halt, Io, Session};

/// Expands words to fields.
pub fn fields(session: &mut Session, words: &[Word]) -> Result<Vec<String>, Halt> {
    let mut all = vec![];
    for word in words {
        all.extend(word_fields(session, word)?);
    }
    Ok(all)
}

/// Expands a word to one text, as in an assignment: no splitting, no paths.
pub fn text(session: &mut Session, word: &Word) -> Result<String, Halt> {
    let mut text = String::new();
    for part in word {
        text.push_str(&value(session, part)?);
    }
    Ok(text)
}

/// The pieces of a word: text, and whether each character's piece is quoted.
fn word_fields(session: &mut Session, word: &Word) -> Result<Vec<String>, Halt> {
    let mut done: Vec<(String, bool)> = vec![];
    let mut current: Option<(String, bool)> = None;
    for part in word {
        let value = value(session, part)?;
        match part {
            Part::Text(_, quoted) => append(&mut current, &value, *quoted),
            Part::Variable(name, _, true) if name == "@" => {
                for (nth, argument) in session.arguments().iter().enumerate() {
                    if nth > 0 {
                        done.extend(current.take());
                    }
                    append(&mut current, argument, true);
                }
            }
            Part::Variable(_, _, true) | Part::Command(_, true) => {
                append(&mut current, &value, true);
            }
            Part::Variable(..) | Part::Command(..) => {
                if value.starts_with(char::is_whitespace) {
                    done.extend(current.take());
                }
                for (nth, piece) in value.split_whitespace().enumerate() {
                    if nth > 0 {
                        done.extend(current.take());
                    }
                    append(&mut current, piece, false);
                }
                if value.ends_with(char::is_whitespace) {
                    done.extend(current.take());
                }
            }
        }
    }
    done.extend(current);
    Ok(done
        .into_iter()
        .flat_map(|(field, quoted)| {
            if !quoted && field.contains(['*', '?']) {
                let paths = paths(session, &field);
                if !paths.is_empty() {
                    return paths;
                }
            }
            vec![field]
        })
        .collect())
}

fn append(current: &mut Option<(String, bool)>, text: &str, quoted: bool) {
    let field = current.get_or_insert_with(|| (String::new(), false));
    field.0.push_str(text);
    field.1 |= quoted && text.contains(['*', '?']);
}

fn value(session: &mut Session, part: &Part) -> Result<String, Halt> {
    match part {
        Part::Text(text, _) => Ok(text.clone()),
        Part::Variable(name, default, _) => {
            let value = session.variable(name);
            match (value, default) {
                (Some(value), _) if !value.is_empty() => Ok(value),
                (_, Some(word)) => text(session, word),
                (Some(value), None) => Ok(value),
                (None, None) if session.options.refuse_unset => {
                    let words = format!("sh: 1: {name}: parameter not set\n");
                    session.late_errors.extend(words.into_bytes());
                    Err(Halt::Exit(2))
                }
                (None, None) => Ok(String::new()),
            }
        }
        Part::Command(body, _) => {
            let mut io = Io::default();
            session.status = run(session, body, &mut io)?;
            session.late_errors.append(&mut io.err);
            let text = String::from_utf8_lossy(&io.out).into_owned();
            Ok(text.trim_end_matches('\n').to_owned())
        }
    }
}

/// The existing paths that match a pattern, sorted.
fn paths(session: &Session, pattern: &str) -> Vec<String> {
    if !pattern.starts_with('/') {
        return vec![];
    }
    let mut found = vec![String::new()];
    for component in pattern.split('/').filter(|part| !part.is_empty()) {
        found = found
            .iter()
            .flat_map(|directory| {
                if !component.contains(['*', '?']) {
                    return vec![format!("{directory}/{component}")];
                }
                let parent = if directory.is_empty() { "/" } else { directory };
                session
                    .directory(parent)
                    .unwrap_or_default()
                    .into_iter()
                    .filter(|name| !name.starts_with('.') && matches(component, name))
                    .map(|name| format!("{directory}/{name}"))
                    .collect()
            })
            .collect();
    }
    found.retain(|path| session.exists(path));
    found
}

/// Whether a name matches a pattern of `*` and `?`.
pub fn matches(pattern: &str, name: &str) -> bool {
    let mut expression = String::from("(?s)^");
    for c in pattern.chars() {
        match c {
            '*' => expression.push_str(".*"),
            '?' => expression.push('.'),
            c => expression.push_str(&regex::escape(&c.to_string())),
        }
    }
    expression.push('$');
    regex::Regex::new(&expression).is_ok_and(|expression| expression.is_match(name))
}
