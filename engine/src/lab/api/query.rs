//! Query strings.

use std::collections::HashMap;

/// The parameters of a request; of a repeated one the last.
#[derive(Debug, Default)]
pub(super) struct Query(HashMap<String, String>);

impl Query {
    pub fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (
                decoded(&name.replace('+', " ")),
                decoded(&value.replace('+', " ")),
            )
        });
        Self(pairs.collect())
    }

    /// A parameter that says something.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Whether a parameter is `true` or `1`.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.text(name), Some("true" | "1"))
    }

    /// A number; an error in the server's words if it is none.
    pub fn number(&self, name: &str) -> Result<Option<u64>, String> {
        self.text(name)
            .map(|text| {
                text.parse()
                    .map_err(|_| format!("invalid value for the query parameter {name}: {text:?}"))
            })
            .transpose()
    }

    /// Whether nothing shall be written.
    pub fn dry_run(&self) -> bool {
        self.text("dryRun") == Some("All")
    }
}

/// Percent-decoding; what is no escape stays as it is.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = after;
                }
                _ => bytes.push(b'%'),
            },
            _ => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let query = Query::parse("labelSelector=a%3Db%2Cc+in+%28d%29&x=&y=%zz&limit=7&watch=true");
        assert_eq!(query.text("labelSelector"), Some("a=b,c in (d)"));
        assert_eq!(query.text("x"), None);
        assert_eq!(query.text("y"), Some("%zz"));
        assert_eq!(query.number("limit"), Ok(Some(7)));
        assert!(query.number("y").is_err());
        assert!(query.flag("watch") && !query.flag("limit"));
    }
}
