//! Secrets: what `secret("NAME")` yields appears in no output, journal, report or error (M9).
//!
//! Redaction is reversible for whoever knows the secret: a mark names the secret and its encoding, so that
//! a resumed run, which asks for the secret again, replays exactly the values that the first run saw.
//!
//! A mark is `‹secret NAME›` or `‹secret NAME:ENCODING›`. Where the occurrences of two secrets overlap, the
//! second mark says how many characters of it the first has already covered: `‹secret NAME:ENCODING@3›`.
//! Text that itself looks like a mark has its first character written as `‹secret=›`, whether or not a
//! secret is known, so that revealing always gives back the very text that was redacted.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use super::secret_form::{Form, escape_json, forms};

/// What every mark begins with.
const MARK: &str = "‹secret";
/// The first character of a mark, where it stands for itself.
const LITERAL: &str = "‹secret=›";
/// Shorter values would blank half of every output.
const SHORTEST: usize = 4;
/// Every form is at least this long, so that these bytes find the candidates.
const PREFIX: usize = 4;

/// The secrets of a run and the forms in which they could leak.
///
/// A secret that was turned into a JSON *number* is not found by [`Secrets::redact_json`]: a mark cannot
/// stand in a number's place.
#[derive(Default)]
pub struct Secrets {
    known: RwLock<Arc<Known>>,
}

/// Why a value cannot be kept secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Its name could not stand in a mark.
    #[error(
        "{0:?} cannot name a secret: use letters, digits, `_`, `-` and `.`, and at least one of them"
    )]
    Name(String),
    /// Its value would be found everywhere.
    #[error(
        "the value of the secret {name} has fewer than {SHORTEST} characters: hiding it would blank half of \
         every output. Use a longer secret, or pass the value as a plain parameter if it is not secret"
    )]
    TooShort {
        /// The secret's name; its value is never shown.
        name: String,
    },
    /// It already has another value.
    #[error(
        "the secret {name} already has another value in this run. A recorded value could no longer be read \
         back; give the second value a name of its own"
    )]
    Changed {
        /// The secret's name; neither value is shown.
        name: String,
    },
}

impl Secrets {
    /// No secrets yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Hides `value` from now on. Adding the same value under the same name again changes nothing.
    pub fn add(&self, name: &str, value: &str) -> Result<(), SecretError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if name.is_empty() || !name.bytes().all(plain) {
            return Err(SecretError::Name(name.to_owned()));
        }
        if value.chars().count() < SHORTEST {
            return Err(SecretError::TooShort { name: name.into() });
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match known.values.iter().find(|(other, _)| other == name) {
            Some((_, same)) if same == value => return Ok(()),
            Some(_) => return Err(SecretError::Changed { name: name.into() }),
            None => {}
        }
        let mut values = known.values.clone();
        values.push((name.to_owned(), value.to_owned()));
        *known = Arc::new(Known::of(values));
        Ok(())
    }

    /// The names of the known secrets, in the order in which they were added.
    pub fn names(&self) -> Vec<String> {
        let known = self.known();
        known.values.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Text with every known secret, in any of its encodings, replaced by its mark.
    pub fn redact(&self, text: &str) -> String {
        self.known().text.redact(text)
    }

    /// The text that [`Secrets::redact`] was given. Marks of secrets that are not known stay.
    pub fn reveal(&self, text: &str) -> String {
        self.known().text.reveal(text)
    }

    /// Like [`Secrets::redact`] for a text that is JSON: looks inside its strings only, and what was valid
    /// JSON stays valid JSON.
    pub fn redact_json(&self, json_text: &str) -> String {
        let known = self.known();
        if known.values.is_empty() && !json_text.contains(MARK) {
            return json_text.to_owned();
        }
        map_strings(json_text, |content| known.json.redact(content))
    }

    /// The same of a text that is given away: where nothing is to be hidden, it comes back as it is.
    pub fn redacted_json(&self, json_text: String) -> String {
        match self.known().values.is_empty() && !Self::are_marked(&json_text) {
            true => json_text,
            false => self.redact_json(&json_text),
        }
    }

    /// Like [`Secrets::redact_json`], but leaves a string alone whose whole content `kept` accepts.
    pub(crate) fn redact_json_except(
        &self,
        json_text: &str,
        kept: impl Fn(&str) -> bool,
    ) -> String {
        let known = self.known();
        map_strings(json_text, |content| {
            if kept(content) {
                content.to_owned()
            } else {
                known.json.redact(content)
            }
        })
    }

    /// Whether a redacted text holds marks of secrets, so that what it says depends on those that are known.
    pub fn are_marked(text: &str) -> bool {
        text.contains(MARK)
    }

    /// The JSON text that [`Secrets::redact_json`] was given. Marks of secrets that are not known stay.
    pub fn reveal_json(&self, json_text: &str) -> String {
        if !Self::are_marked(json_text) {
            return json_text.to_owned();
        }
        let known = self.known();
        map_strings(json_text, |content| known.json.reveal(content))
    }

    fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Secrets {
    /// Names only: a debug print is an output too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets")
            .field("names", &self.names())
            .finish_non_exhaustive()
    }
}

/// The secrets at one moment, indexed for both kinds of text.
#[derive(Default)]
struct Known {
    values: Vec<(String, String)>,
    text: Index,
    json: Index,
}

impl Known {
    fn of(values: Vec<(String, String)>) -> Self {
        let all: Vec<Form> = values
            .iter()
            .flat_map(|(name, value)| forms(name, value))
            .collect();
        let escaped = all.iter().map(|form| Form {
            label: form.label.clone(),
            text: escape_json(&form.text),
        });
        Self {
            json: Index::of(escaped.collect(), Spelling::Json),
            text: Index::of(all, Spelling::Plain),
            values,
        }
    }
}

/// How the searched text spells a character.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Spelling {
    /// As itself.
    #[default]
    Plain,
    /// As inside a JSON string: possibly as an escape.
    Json,
}

impl Spelling {
    /// Length in bytes of the first character's spelling in a text that is not empty.
    fn unit(self, text: &str) -> usize {
        let plain = text.chars().next().map_or(0, char::len_utf8);
        if self == Self::Plain || !text.starts_with('\\') {
            return plain;
        }
        let wanted = if text[1..].starts_with('u') { 6 } else { 2 };
        if text.is_char_boundary(wanted) && text.len() >= wanted {
            wanted
        } else {
            plain
        }
    }

    /// Where in `text` its character number `count` (from 0) begins.
    fn offset(self, text: &str, count: usize) -> Option<usize> {
        let mut at = 0;
        for _ in 0..count {
            if at == text.len() {
                return None;
            }
            at += self.unit(&text[at..]);
        }
        Some(at)
    }
}

/// Forms by their first bytes, and by their label.
#[derive(Default)]
struct Index {
    spelling: Spelling,
    by_prefix: HashMap<[u8; PREFIX], Vec<Form>>,
    by_label: HashMap<String, String>,
}

/// One occurrence in a text.
struct Match<'index> {
    start: usize,
    end: usize,
    label: &'index str,
}

impl Index {
    fn of(forms: Vec<Form>, spelling: Spelling) -> Self {
        let mut index = Self {
            spelling,
            ..Self::default()
        };
        for form in forms {
            index
                .by_label
                .entry(form.label.clone())
                .or_insert_with(|| form.text.clone());
            if let Some(prefix) = prefix(form.text.as_bytes()) {
                index.by_prefix.entry(prefix).or_default().push(form);
            }
        }
        for candidates in index.by_prefix.values_mut() {
            // The longest wins; of equals the first that was added (the sort is stable).
            candidates.sort_by_key(|form| std::cmp::Reverse(form.text.len()));
        }
        index
    }

    fn redact(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut covered = 0;
        for found in self.matches(text) {
            if found.end <= covered {
                continue;
            }
            if found.start >= covered {
                push_literal(&mut out, text, covered, found.start);
                out.push_str(&format!("{MARK} {}›", found.label));
            } else {
                let skipped = self.count_units(&text[found.start..covered]);
                out.push_str(&format!("{MARK} {}@{skipped}›", found.label));
            }
            covered = found.end;
        }
        push_literal(&mut out, text, covered, text.len());
        out
    }

    /// Every occurrence, the longest at each place, by place.
    fn matches<'index>(&'index self, text: &str) -> Vec<Match<'index>> {
        let mut found = Vec::new();
        if self.by_prefix.is_empty() {
            return found;
        }
        let mut at = 0;
        while at < text.len() {
            if let Some(form) = self.longest_at(text, at) {
                found.push(Match {
                    start: at,
                    end: at + form.text.len(),
                    label: &form.label,
                });
            }
            at += self.spelling.unit(&text[at..]);
        }
        found
    }

    fn longest_at(&self, text: &str, at: usize) -> Option<&Form> {
        let candidates = self.by_prefix.get(&prefix(&text.as_bytes()[at..])?)?;
        candidates
            .iter()
            .find(|form| text[at..].starts_with(&form.text))
    }

    fn count_units(&self, text: &str) -> usize {
        let (mut at, mut count) = (0, 0);
        while at < text.len() {
            at += self.spelling.unit(&text[at..]);
            count += 1;
        }
        count
    }

    fn reveal(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(MARK) {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            let length = if rest.starts_with(LITERAL) {
                out.push('‹');
                LITERAL.len()
            } else if let Some((length, value)) = self.mark_at(rest) {
                out.push_str(value);
                length
            } else {
                out.push_str(MARK);
                MARK.len()
            };
            rest = &rest[length..];
        }
        out.push_str(rest);
        out
    }

    /// The mark that `text` begins with, if it is one of a known secret: its length and what it stands for.
    fn mark_at(&self, text: &str) -> Option<(usize, &str)> {
        let inner = text.strip_prefix(MARK)?.strip_prefix(' ')?;
        let end = inner.find('›')?;
        let length = MARK.len() + 1 + end + '›'.len_utf8();
        let (label, skipped) = match inner[..end].split_once('@') {
            Some((label, skipped)) => (label, skipped.parse().ok()?),
            None => (&inner[..end], 0),
        };
        let form = self.by_label.get(label)?;
        Some((length, &form[self.spelling.offset(form, skipped)?..]))
    }
}

fn prefix(bytes: &[u8]) -> Option<[u8; PREFIX]> {
    bytes.get(..PREFIX)?.try_into().ok()
}

/// Appends `text[from..to]`. What looks like the beginning of a mark in the *whole* text is written so that
/// it does not: looking at the part alone would miss nothing either, but would depend on where it was cut.
fn push_literal(out: &mut String, text: &str, from: usize, to: usize) {
    let mut at = from;
    while let Some(found) = text[at..to].find('‹').map(|found| at + found) {
        let next = found + '‹'.len_utf8();
        out.push_str(&text[at..found]);
        out.push_str(if text[found..].starts_with(MARK) {
            LITERAL
        } else {
            "‹"
        });
        at = next;
    }
    out.push_str(&text[at..to]);
}

/// Applies `change` to the content of each string of a JSON text, as it is spelt there.
fn map_strings(json: &str, change: impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(open) = rest.find('"') {
        out.push_str(&rest[..=open]);
        rest = &rest[open + 1..];
        let end = string_end(rest);
        out.push_str(&change(&rest[..end]));
        rest = &rest[end..];
        if let Some(after) = rest.strip_prefix('"') {
            out.push('"');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// Where the string ends whose content `text` begins with: at the quote that closes it.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
#[path = "secret_tests.rs"]
mod tests;
