//! Setting one key of a YAML file without touching another byte: the place is found in the text, the value is
//! spliced in, and the result is parsed again to prove that exactly this key has changed.

use serde_yaml::Value as Yaml;

use crate::model::Value;

/// Why a key cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum YamlError {
    /// It is not YAML, or has a key twice.
    #[error("not YAML that can be read: {0}")]
    Unreadable(String),
    /// It is more than one document, or not a map.
    #[error("{0}")]
    Shape(String),
    /// The edit cannot be made safely.
    #[error("line {line}: {why}; use edit() for this file")]
    Unsafe {
        /// Line, from 1.
        line: usize,
        /// Why.
        why: String,
    },
    /// The edit did something else than it should; nothing is written.
    #[error("`{key}` cannot be set without changing something else in this file; use edit()")]
    Disturbs {
        /// The key.
        key: String,
    },
}

/// A document as plain data; duplicate keys are refused.
pub fn get_yaml(text: &str) -> Result<Value, YamlError> {
    let yaml = parse(text)?;
    let json = serde_json::to_value(&yaml).map_err(|error| YamlError::Unreadable(error.to_string()))?;
    Ok(Value::from(json))
}

fn parse(text: &str) -> Result<Yaml, YamlError> {
    let documents = text.lines().filter(|line| line.trim_end() == "---" || line.starts_with("--- ")).count();
    let leading = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let first_is_marker = leading.is_some_and(|line| line.starts_with("---"));
    if documents > usize::from(first_is_marker) {
        return Err(YamlError::Shape("the file holds more than one YAML document".into()));
    }
    serde_yaml::from_str(text).map_err(|error| YamlError::Unreadable(error.to_string()))
}

/// Sets the key at `path` (outermost first) of a map in block style to a value (text, number, truth value, or a list
/// of these). A missing key is added at the end of its map, missing maps around it with it.
pub fn set_yaml(text: &str, path: &[&str], value: &Value) -> Result<String, YamlError> {
    let key = path.join(".");
    let wanted = scalar(value)?;
    let before = parse(text)?;
    if !matches!(before, Yaml::Mapping(_) | Yaml::Null) {
        return Err(YamlError::Shape("the file is not a YAML map".into()));
    }
    let target = expected(&before, path, &wanted)?;
    if before == target {
        return Ok(text.to_owned());
    }
    let edited = splice(text, path, &wanted)?;
    // The proof: parsed again, exactly this key differs, and every comment is still there.
    if parse(&edited).ok().as_ref() != Some(&target) || comments(&edited) != comments(text) {
        return Err(YamlError::Disturbs { key });
    }
    Ok(edited)
}

fn scalar(value: &Value) -> Result<Yaml, YamlError> {
    let plain = |value: &Value| match value {
        Value::Text(text) => Ok(Yaml::String(text.clone())),
        Value::Int(number) => Ok(Yaml::Number((*number).into())),
        Value::Bool(truth) => Ok(Yaml::Bool(*truth)),
        other => Err(YamlError::Shape(format!("set_yaml sets texts, numbers, true/false and lists of them, not {other}"))),
    };
    match value {
        Value::List(items) => items.iter().map(plain).collect::<Result<_, _>>().map(Yaml::Sequence),
        other => plain(other),
    }
}

fn expected(before: &Yaml, path: &[&str], wanted: &Yaml) -> Result<Yaml, YamlError> {
    let Some((first, rest)) = path.split_first() else { return Ok(wanted.clone()) };
    let mut map = match before {
        Yaml::Mapping(map) => map.clone(),
        Yaml::Null => serde_yaml::Mapping::new(),
        _ => return Err(YamlError::Shape(format!("the value around `{first}` is not a map"))),
    };
    let inner = map.get(*first).cloned().unwrap_or(Yaml::Null);
    map.insert(Yaml::String((*first).to_owned()), expected(&inner, rest, wanted)?);
    Ok(Yaml::Mapping(map))
}

/// Comment texts, in order. Good enough to notice that one was lost: a `#` inside a quoted value counts on both sides.
fn comments(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.find('#').map(|at| line[at..].trim_end())).collect()
}

/// A line of the text with its place.
struct Line<'a> {
    number: usize,
    start: usize,
    text: &'a str,
}

impl Line<'_> {
    fn indent(&self) -> usize {
        self.text.len() - self.text.trim_start_matches(' ').len()
    }

    fn is_content(&self) -> bool {
        let trimmed = self.text.trim();
        !trimmed.is_empty() && !trimmed.starts_with('#') && !trimmed.starts_with("---")
    }
}

fn lines(text: &str) -> Vec<Line<'_>> {
    let mut start = 0;
    text.split_inclusive('\n')
        .enumerate()
        .map(|(index, line)| {
            let place = Line { number: index + 1, start, text: line.trim_end_matches(['\n', '\r']) };
            start += line.len();
            place
        })
        .collect()
}

fn splice(text: &str, path: &[&str], wanted: &Yaml) -> Result<String, YamlError> {
    let all = lines(text);
    let mut within = 0..all.len();
    let mut indent = 0;
    for (depth, key) in path.iter().enumerate() {
        let Some(at) = within.clone().find(|index| is_key(&all[*index], indent, key)) else {
            return Ok(insert(text, &all, within.end, indent, &path[depth..], wanted));
        };
        let block = at + 1..block_end(&all, at + 1, within.end, indent);
        if depth + 1 == path.len() {
            return replace(text, &all, at, block, wanted);
        }
        let inner = all[block.clone()].iter().find(|line| line.is_content());
        let flow = after_colon(all[at].text).is_some_and(|rest| !uncommented(rest).is_empty());
        match inner {
            Some(line) if !flow => indent = line.indent(),
            None if !flow => indent += 2,
            _ => return Err(YamlError::Unsafe { line: all[at].number, why: format!("`{key}` is written on one line") }),
        }
        within = block;
    }
    Ok(text.to_owned())
}

/// Where the lines that belong to a key end: the next content at its indentation or further left.
fn block_end(all: &[Line<'_>], from: usize, to: usize, indent: usize) -> usize {
    let next = (from..to).find(|index| {
        let line = &all[*index];
        let item = line.indent() == indent && line.text.trim_start().starts_with("- ");
        line.is_content() && line.indent() <= indent && !item
    });
    let end = next.unwrap_or(to);
    // Blank lines and comments before the next key belong to that.
    let last = (from..end).rev().find(|index| all[*index].is_content());
    last.map_or(from, |last| last + 1)
}

fn is_key(line: &Line<'_>, indent: usize, key: &str) -> bool {
    if line.indent() != indent || !line.is_content() {
        return false;
    }
    let text = line.text.trim_start();
    [key.to_owned(), format!("\"{key}\""), format!("'{key}'")].iter().any(|form| {
        text.strip_prefix(form.as_str())
            .map(str::trim_start)
            .and_then(|rest| rest.strip_prefix(':'))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
    })
}

/// What stands behind the colon of a key's line.
fn after_colon(line: &str) -> Option<&str> {
    let trimmed = line.trim_start();
    let skip = match trimmed.chars().next()? {
        quote @ ('"' | '\'') => trimmed[1..].find(quote)? + 2,
        _ => 0,
    };
    let colon = trimmed[skip..].find(':')? + skip;
    Some(&trimmed[colon + 1..])
}

/// A value without the comment behind it.
fn uncommented(rest: &str) -> &str {
    let rest = rest.trim();
    if rest.starts_with('#') {
        return "";
    }
    if let Some(quote @ ('"' | '\'')) = rest.chars().next() {
        let mut escaped = false;
        for (at, c) in rest.char_indices().skip(1) {
            match c {
                '\\' if quote == '"' && !escaped => escaped = true,
                c if c == quote && !escaped => {
                    if quote == '\'' && rest[at + 1..].starts_with('\'') {
                        escaped = true;
                        continue;
                    }
                    return &rest[..=at];
                }
                _ => escaped = false,
            }
        }
        return rest;
    }
    rest.find(" #").map_or(rest, |at| rest[..at].trim_end())
}

fn replace(
    text: &str,
    all: &[Line<'_>],
    at: usize,
    block: std::ops::Range<usize>,
    wanted: &Yaml,
) -> Result<String, YamlError> {
    let line = &all[at];
    let refuse = |why: &str| Err(YamlError::Unsafe { line: line.number, why: why.to_owned() });
    let rest = after_colon(line.text).unwrap_or_default();
    let old = uncommented(rest);
    if old.starts_with(['&', '*', '!', '|', '>']) {
        return refuse("the value is an anchor, an alias, tagged, or a block of text");
    }
    if block.len() > 0 && all[block.clone()].iter().any(Line::is_content) {
        if !old.is_empty() {
            return refuse("the value goes on over several lines");
        }
        return replace_block(text, all, at, block, wanted);
    }
    let style = match old.chars().next() {
        Some(quote @ ('"' | '\'')) if matches!(wanted, Yaml::String(_)) => Some(quote),
        _ => None,
    };
    let colon = line.start + line.text.len() - rest.len();
    let gap = rest.len() - rest.trim_start().len();
    let new = written(wanted, style);
    if old.is_empty() {
        return Ok(format!("{} {}{}", &text[..colon], new, &text[colon..]));
    }
    let from = colon + gap;
    Ok(format!("{}{}{}", &text[..from], new, &text[from + old.len()..]))
}

/// Replaces a list that stands below its key, item by item in the indentation that it has.
fn replace_block(
    text: &str,
    all: &[Line<'_>],
    at: usize,
    block: std::ops::Range<usize>,
    wanted: &Yaml,
) -> Result<String, YamlError> {
    let items_only = all[block.clone()].iter().filter(|line| line.is_content()).all(|line| line.text.trim_start().starts_with("- "));
    let Yaml::Sequence(items) = wanted else {
        return Err(YamlError::Unsafe { line: all[at].number, why: "the value is a block of several lines".into() });
    };
    if !items_only || all[block.clone()].iter().any(|line| line.text.contains('#')) {
        return Err(YamlError::Unsafe { line: all[at].number, why: "the list has comments or nested values".into() });
    }
    let end = line_end(text);
    let indent = " ".repeat(all[block.start].indent());
    let body: String = items.iter().map(|item| format!("{indent}- {}{end}", written(item, None))).collect();
    let from = all[block.start].start;
    let to = all.get(block.end).map_or(text.len(), |line| line.start);
    Ok(format!("{}{body}{}", &text[..from], &text[to..]))
}

fn insert(text: &str, all: &[Line<'_>], end: usize, indent: usize, path: &[&str], wanted: &Yaml) -> String {
    let newline = line_end(text);
    let mut added = String::new();
    for (depth, key) in path.iter().enumerate() {
        let pad = " ".repeat(indent + 2 * depth);
        let last = depth + 1 == path.len();
        let value = if last { format!(" {}", written(wanted, None)) } else { String::new() };
        added.push_str(&format!("{pad}{}:{value}{newline}", key_written(key)));
    }
    // Behind the last content of the map, before blank lines and comments that follow it; at the top level at the end.
    let place = if indent == 0 { text.len() } else { all.get(end).map_or(text.len(), |line| line.start) };
    let (head, tail) = text.split_at(place);
    let gap = if head.is_empty() || head.ends_with('\n') { "" } else { newline };
    // `{}` alone is a map in flow style: it becomes one in block style.
    let head = if head.trim() == "{}" { "" } else { head };
    format!("{head}{gap}{added}{tail}")
}

fn line_end(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

fn key_written(key: &str) -> String {
    written(&Yaml::String(key.to_owned()), None)
}

/// A value as it is written on one line. Quoted where YAML would read something else.
fn written(value: &Yaml, style: Option<char>) -> String {
    match value {
        Yaml::String(text) => string(text, style),
        Yaml::Bool(truth) => truth.to_string(),
        Yaml::Number(number) => number.to_string(),
        Yaml::Sequence(items) => {
            let items: Vec<String> = items.iter().map(|item| written(item, Some('"'))).collect();
            format!("[{}]", items.join(", "))
        }
        _ => "null".into(),
    }
}

fn string(text: &str, style: Option<char>) -> String {
    let double = || format!("\"{}\"", text.chars().flat_map(escaped).collect::<String>());
    let control = text.chars().any(char::is_control);
    match style {
        Some('\'') if !control => format!("'{}'", text.replace('\'', "''")),
        Some(_) => double(),
        None if control || !is_plain(text) => double(),
        None => text.to_owned(),
    }
}

fn escaped(c: char) -> Vec<char> {
    match c {
        '"' | '\\' => vec!['\\', c],
        '\n' => vec!['\\', 'n'],
        '\t' => vec!['\\', 't'],
        '\r' => vec!['\\', 'r'],
        c if c.is_control() => format!("\\u{:04x}", c as u32).chars().collect(),
        c => vec![c],
    }
}

/// Whether a text without quotes is read as exactly this text, by YAML 1.1 readers (k3s) as well as 1.2.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 12] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", ".nan", ".inf"];
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_./@+".contains(c) || c == ':' || c == ' ';
    let begins = text.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '/' || c == '_');
    begins
        && text.chars().all(safe)
        && !text.contains(": ")
        && !text.ends_with([':', ' '])
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
        && matches!(serde_yaml::from_str::<Yaml>(text), Ok(Yaml::String(read)) if read == text)
}

#[cfg(test)]
mod tests;
