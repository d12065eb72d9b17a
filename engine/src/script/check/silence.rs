//! Comments that silence a warning, with the reason: `// allow RB103: it counts its calls`. They stand on the line of
//! the warning or alone above it.

use super::codes::{self, Code};
use super::{Finding, Severity, Unit};
use crate::model::SourcePosition;

/// A comment of the text.
#[derive(Debug, PartialEq, Eq)]
struct Comment<'a> {
    line: u32,
    column: u32,
    text: &'a str,
    /// Whether nothing stands before it on its line.
    alone: bool,
}

/// Takes out of the findings what the text's comments silence, and adds what is wrong with the comments.
pub fn apply(unit: &Unit<'_>, text: &str, findings: &mut Vec<Finding>) {
    let lines: Vec<&str> = text.lines().collect();
    for comment in comments(text) {
        let Some((words, reason)) = allowance(comment.text) else {
            continue;
        };
        let at = |offset: usize| SourcePosition {
            file: unit.name.to_owned(),
            line: comment.line,
            column: comment.column + offset as u32,
        };
        let line = match comment.alone {
            true => next_code(&lines, comment.line),
            false => comment.line,
        };
        for (offset, name) in words {
            let finding = |code, message: String, help: &str| {
                let mut finding = Finding::new(code, Some(at(offset)), name.len(), message);
                finding.help = Some(help.to_owned());
                finding
            };
            if reason.is_none() {
                findings.push(finding(
                    codes::ALLOW_WITHOUT_REASON,
                    format!("`allow {name}` without a reason silences nothing"),
                    &format!("// allow {name}: why it is no defect here"),
                ));
                continue;
            }
            let meant = |found: &Finding| {
                found.code.eq_ignore_ascii_case(name)
                    && found.severity == Severity::Warning
                    && found
                        .position
                        .as_ref()
                        .is_some_and(|place| place.file == unit.name && place.line == line)
            };
            let before = findings.len();
            findings.retain(|found| !meant(found));
            if findings.len() == before {
                let why = match Code::find(name) {
                    None => {
                        format!("there is no code {name}; `runbook check --explain all` lists them")
                    }
                    Some(code) if code.severity() == Severity::Error => {
                        format!("{name} is an error: it cannot be silenced")
                    }
                    Some(code) => format!("there is no {name} ({}) on line {line}", code.name),
                };
                findings.push(finding(
                    codes::ALLOW_WITHOUT_EFFECT,
                    format!("this silences nothing: {why}"),
                    "put it on the line of the warning or alone above it, or take it out",
                ));
            }
        }
    }
}

/// The first line behind this one that is neither empty nor a comment.
fn next_code(lines: &[&str], line: u32) -> u32 {
    let behind = lines.iter().enumerate().skip(line as usize);
    let mut code = behind.filter(|(_, text)| {
        let text = text.trim_start();
        !text.is_empty() && !text.starts_with("//")
    });
    code.next().map_or(line, |(index, _)| index as u32 + 1)
}

/// The codes with their offset in the comment, and the reason.
type Allowance<'a> = (Vec<(usize, &'a str)>, Option<&'a str>);

/// `// allow RB103, RB104: reason`.
fn allowance(comment: &str) -> Option<Allowance<'_>> {
    let body = comment.trim_start_matches('/');
    let list = body.trim_start().strip_prefix("allow ")?;
    let (names, reason) = match list.split_once(':') {
        Some((names, reason)) => (
            names,
            Some(reason.trim()).filter(|reason| !reason.is_empty()),
        ),
        None => (list, None),
    };
    let start = comment.len() - list.len();
    let mut found = Vec::new();
    let mut offset = start;
    for piece in names.split(',') {
        let name = piece.trim();
        let is_code = name.len() == 5
            && name[..2].eq_ignore_ascii_case("rb")
            && name[2..].bytes().all(|b| b.is_ascii_digit());
        // A sentence that begins with "allow" is no such comment.
        if !name.is_ascii() || !is_code {
            let first = name.split_whitespace().next().unwrap_or_default();
            if !(found.is_empty() && first.len() == 5 && first.starts_with("RB")) {
                return None;
            }
            // `allow RB103 because …`: meant, without the colon before its reason.
            return Some((
                vec![(offset + piece.len() - piece.trim_start().len(), first)],
                None,
            ));
        }
        found.push((offset + piece.len() - piece.trim_start().len(), name));
        offset += piece.len() + 1;
    }
    Some((found, reason))
}

/// The line comments of a text: not what looks like one in a text or in another comment.
fn comments(text: &str) -> Vec<Comment<'_>> {
    let mut found = Vec::new();
    let mut scan = Scan {
        rest: text,
        line: 1,
        column: 1,
        alone: true,
    };
    // Braces open inside of each `${ … }` of the texts in backticks around this place.
    let mut open: Vec<usize> = Vec::new();
    while let Some(c) = scan.next() {
        match c {
            '/' if scan.rest.starts_with('/') => {
                let (line, column, alone) = (scan.line, scan.column - 1, scan.alone_before());
                let end = scan.rest.find('\n').unwrap_or(scan.rest.len());
                let start = text.len() - scan.rest.len() - 1;
                let whole = &text[start..start + 1 + end];
                found.push(Comment {
                    line,
                    column,
                    text: whole.trim_end(),
                    alone,
                });
                scan.skip(end);
            }
            '/' if scan.rest.starts_with('*') => scan.block_comment(),
            '"' => scan.text('"'),
            '\'' => scan.text('\''),
            '#' if scan.rest.starts_with('"') || scan.rest.starts_with('#') => scan.raw_text(),
            '`' => scan.backticks(&mut open),
            '{' => {
                if let Some(depth) = open.last_mut() {
                    *depth += 1;
                }
            }
            '}' => match open.last_mut() {
                Some(0) => {
                    open.pop();
                    scan.backticks(&mut open);
                }
                Some(depth) => *depth -= 1,
                None => {}
            },
            _ => {}
        }
    }
    found
}

struct Scan<'a> {
    rest: &'a str,
    line: u32,
    column: u32,
    /// Whether only white space was met on this line, before the last character taken and with it.
    alone: bool,
}

impl Scan<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        if c == '\n' {
            (self.line, self.column, self.alone) = (self.line + 1, 1, true);
        } else {
            self.column += 1;
            // A slash may begin a comment; if it does not, what follows decides.
            self.alone &= c.is_whitespace() || (c == '/' && self.rest.starts_with('/'));
        }
        Some(c)
    }

    fn alone_before(&self) -> bool {
        self.alone
    }

    fn skip(&mut self, bytes: usize) {
        let until = self.rest.len() - bytes;
        while self.rest.len() > until && self.next().is_some() {}
    }

    fn block_comment(&mut self) {
        let mut depth = 1;
        self.next();
        while depth > 0 {
            match self.next() {
                None => return,
                Some('*') if self.rest.starts_with('/') => {
                    self.next();
                    depth -= 1;
                }
                Some('/') if self.rest.starts_with('*') => {
                    self.next();
                    depth += 1;
                }
                Some(_) => {}
            }
        }
    }

    fn text(&mut self, end: char) {
        while let Some(c) = self.next() {
            match c {
                '\\' => {
                    self.next();
                }
                _ if c == end => return,
                _ => {}
            }
        }
    }

    /// `#"…"#` with any number of `#`.
    fn raw_text(&mut self) {
        let more = self.rest.chars().take_while(|c| *c == '#').count();
        if !self.rest[more..].starts_with('"') {
            return;
        }
        let end = format!("\"{}", "#".repeat(more + 1));
        self.skip(more + 1);
        let to = self
            .rest
            .find(&end)
            .map_or(self.rest.len(), |at| at + end.len());
        self.skip(to);
    }

    /// A text in backticks up to its end, or up to a `${`, which is then open.
    fn backticks(&mut self, open: &mut Vec<usize>) {
        while let Some(c) = self.next() {
            match c {
                '`' if self.rest.starts_with('`') => {
                    self.next();
                }
                '`' => return,
                '$' if self.rest.starts_with('{') => {
                    self.next();
                    open.push(0);
                    return;
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Vec<(u32, u32, bool)> {
        comments(text)
            .iter()
            .map(|c| (c.line, c.column, c.alone))
            .collect()
    }

    #[test]
    fn comments_are_told_from_what_looks_like_them() {
        assert_eq!(
            places("// a\n  // b\nx; // c"),
            [(1, 1, true), (2, 3, true), (3, 4, false)]
        );
        assert!(places("\"http://x\" + '/' + `//y${1}//z` + #\"//\"# /* // */").is_empty());
        assert_eq!(places("`a${ #{ b: `//c` } }//d`; // e"), [(1, 27, false)]);
        assert_eq!(places("\"\\\"//\" // x"), [(1, 8, false)]);
    }

    #[test]
    fn an_allowance_names_codes_and_a_reason() {
        assert_eq!(
            allowance("// allow RB103: why"),
            Some((vec![(9, "RB103")], Some("why")))
        );
        assert_eq!(
            allowance("// allow RB103, RB104: a"),
            Some((vec![(9, "RB103"), (16, "RB104")], Some("a")))
        );
        assert_eq!(
            allowance("// allow RB103"),
            Some((vec![(9, "RB103")], None))
        );
        assert_eq!(
            allowance("// allow RB103 as it counts"),
            Some((vec![(9, "RB103")], None))
        );
        assert_eq!(
            allowance("// allow RB103:"),
            Some((vec![(9, "RB103")], None))
        );
        assert_eq!(allowance("// allow me: to say"), None);
        assert_eq!(allowance("// allow"), None);
    }
}
