//! Option maps of words: every key known, every value of the right type, else a clear misuse.

use crate::script::convert::in_words;
use std::time::Duration;

use rhai::{Dynamic, ImmutableString, Map};

/// Takes options out of a map; what is left at the end was not known.
pub struct Options {
    word: &'static str,
    known: Vec<&'static str>,
    map: Map,
}

impl Options {
    /// The options given to `word`.
    pub fn of(word: &'static str, map: Map) -> Self {
        Self {
            word,
            known: Vec::new(),
            map,
        }
    }

    /// Any value.
    pub fn take(&mut self, name: &'static str) -> Option<Dynamic> {
        if self.map.is_empty() {
            // Nothing is left that could be unknown.
            return None;
        }
        self.known.push(name);
        self.map.remove(name).filter(|value| !value.is_unit())
    }

    /// A text.
    pub fn text(&mut self, name: &'static str) -> Result<Option<String>, String> {
        self.take(name)
            .map(|value| match value.read_lock::<ImmutableString>() {
                Some(text) => Ok(text.to_string()),
                None => Err(self.wrong(name, "a text", &value)),
            })
            .transpose()
    }

    /// A truth value.
    pub fn flag(&mut self, name: &'static str) -> Result<Option<bool>, String> {
        self.take(name)
            .map(|value| {
                value
                    .as_bool()
                    .map_err(|_| self.wrong(name, "true or false", &value))
            })
            .transpose()
    }

    /// A whole number that is not negative.
    pub fn count(&mut self, name: &'static str) -> Result<Option<usize>, String> {
        self.take(name)
            .map(|value| {
                let number = value
                    .as_int()
                    .ok()
                    .and_then(|number| usize::try_from(number).ok());
                number.ok_or_else(|| self.wrong(name, "a whole number from 0", &value))
            })
            .transpose()
    }

    /// A duration: a text such as `"90s"`, or seconds.
    pub fn duration(&mut self, name: &'static str) -> Result<Option<Duration>, String> {
        self.take(name)
            .map(|value| duration(&value).map_err(|why| format!("{}: `{name}`: {why}", self.word)))
            .transpose()
    }

    /// Refuses what is left.
    pub fn end(self) -> Result<(), String> {
        let Some(stranger) = self.map.keys().next() else {
            return Ok(());
        };
        let near = crate::text::suggest::closest(stranger, self.known.iter().copied());
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known: {}", self.known.join(", ")),
        };
        Err(format!("{} has no option `{stranger}`; {help}", self.word))
    }

    fn wrong(&self, name: &str, wanted: &str, value: &Dynamic) -> String {
        format!(
            "{}: `{name}` is {wanted}, not {}",
            self.word,
            in_words(value)
        )
    }
}

/// A duration as a script writes it.
pub fn duration(value: &Dynamic) -> Result<Duration, String> {
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return crate::text::duration::parse(&text).map_err(|error| error.to_string());
    }
    match value.as_int() {
        Ok(seconds) if seconds >= 0 => Ok(Duration::from_secs(seconds.unsigned_abs())),
        _ => Err(format!(
            "a duration is a text such as \"90s\" or \"5m\", or seconds, not {}",
            in_words(value)
        )),
    }
}
