//! Commands as scripts write them: an array is an argv and meets no shell, a text is for `sh -c`.

use crate::script::convert::in_words;
use std::collections::BTreeMap;

use rhai::{Array, Dynamic, ImmutableString, Map};

use crate::transport::{Command, Program};

/// The program that a script names.
pub fn program(value: &Dynamic) -> Result<Program, String> {
    if let Some(text) = value.read_lock::<ImmutableString>() {
        if text.trim().is_empty() {
            return Err("the command is empty".into());
        }
        no_nul(&text)?;
        return Ok(Program::Shell(text.to_string()));
    }
    if let Some(words) = value.read_lock::<Array>() {
        let words = words.iter().map(word).collect::<Result<Vec<_>, _>>()?;
        if words.first().is_none_or(String::is_empty) {
            return Err("the command is empty: an array is the program and its arguments".into());
        }
        return Ok(Program::Argv(words));
    }
    Err(format!(
        "a command is a text (for sh -c) or an array (program and arguments), not {}",
        in_words(value)
    ))
}

fn word(value: &Dynamic) -> Result<String, String> {
    if value.is_unit() {
        return Err("an argument of the command is () (nothing); give a text".into());
    }
    if value.is_array() || value.is_map() {
        return Err(format!(
            "an argument of the command is {}, not a text",
            in_words(value)
        ));
    }
    let text = super::super::convert::to_value(value)?.to_string();
    no_nul(&text)?;
    Ok(text)
}

fn no_nul(text: &str) -> Result<(), String> {
    if text.contains('\0') {
        Err("a command cannot contain a NUL byte".into())
    } else {
        Ok(())
    }
}

/// The environment that a script gives.
pub fn environment(value: Option<Dynamic>) -> Result<BTreeMap<String, String>, String> {
    let Some(value) = value else {
        return Ok(BTreeMap::new());
    };
    let Some(map) = value.read_lock::<Map>() else {
        return Err(format!(
            "`env` is a map of names and texts, not {}",
            in_words(&value)
        ));
    };
    map.iter()
        .map(|(name, value)| {
            let plain = !name.is_empty()
                && !name.starts_with(|c: char| c.is_ascii_digit())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !plain {
                return Err(format!(
                    "`env`: {name:?} is not a name of a variable (letters, digits, underscore)"
                ));
            }
            Ok((name.to_string(), word(value)?))
        })
        .collect()
}

/// A command without input or environment.
pub fn plain(program: Program) -> Command {
    Command {
        program,
        stdin: None,
        env: BTreeMap::new(),
    }
}
