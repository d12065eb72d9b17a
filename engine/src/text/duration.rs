//! Durations as people write them: `250ms`, `90s`, `5m`, `1h30m`, `2d`.

use std::fmt::Write as _;
use std::time::Duration;

/// The units with their milliseconds, the largest first. `min` is read, `m` is written.
const UNITS: [(&str, u64); 6] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("min", 60_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a duration: {why}; write it like \"250ms\", \"90s\", \"5m\" or \"1h30m\"")]
pub struct DurationError {
    text: String,
    why: String,
}

/// Reads a duration. Units: ms, s, m (or min), h, d; the largest first, each at most once. Whole numbers only.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    read(text.trim()).map_err(|why| DurationError {
        text: text.to_owned(),
        why,
    })
}

fn read(text: &str) -> Result<Duration, String> {
    let mut rest = text;
    let mut last = u64::MAX;
    let mut total: u64 = 0;
    if rest.is_empty() {
        return Err("it is empty".into());
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let letters = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (name, after) = after.split_at(letters);
        if number.is_empty() {
            return Err(format!("{name:?} stands where a number should"));
        }
        if name.is_empty() {
            return Err(format!("{number} has no unit (ms, s, m, h or d)"));
        }
        let Some((_, unit)) = UNITS.iter().find(|(known, _)| *known == name) else {
            return Err(format!("{name:?} is no unit (ms, s, m, h or d)"));
        };
        if *unit >= last {
            return Err("the larger unit comes first, and each only once".into());
        }
        let part = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(*unit));
        total = part
            .and_then(|part| total.checked_add(part))
            .ok_or("it is too large")?;
        (last, rest) = (*unit, after);
    }
    Ok(Duration::from_millis(total))
}

/// Writes a duration so that [`parse`] reads it back, to the millisecond (what is below is left out).
pub fn format(duration: Duration) -> String {
    let mut left = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut out = String::new();
    for (name, unit) in UNITS.into_iter().filter(|(name, _)| *name != "min") {
        if left >= unit {
            // Writing into a String cannot fail.
            let _ = write!(out, "{}{name}", left / unit);
            left %= unit;
        }
    }
    if out.is_empty() { "0s".into() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        for (text, milliseconds) in [
            ("250ms", 250),
            ("90s", 90_000),
            ("5m", 300_000),
            ("5min", 300_000),
            (" 1h30m ", 5_400_000),
            ("1m30s", 90_000),
            ("2d", 172_800_000),
            ("0s", 0),
            ("1s5ms", 1005),
        ] {
            assert_eq!(
                parse(text),
                Ok(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
        assert_eq!(format(Duration::from_secs(90)), "1m30s");
        assert_eq!(format(Duration::ZERO), "0s");
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, part) in [
            ("", "empty"),
            ("5", "5 has no unit"),
            ("1h30", "30 has no unit"),
            ("m", "\"m\" stands where a number should"),
            ("-5s", "where a number should"),
            ("5x", "\"x\" is no unit"),
            ("5 m", "\" m\" is no unit"),
            ("1.5s", "\".\" is no unit"),
            ("5S", "\"S\" is no unit"),
            ("5s5m", "larger unit comes first"),
            ("5m5min", "only once"),
            ("99999999999999999999d", "too large"),
            ("9999999999999999d", "too large"),
            ("soon", "where a number should"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn reads_back_what_it_writes(milliseconds in any::<u64>()) {
            let duration = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }

        #[test]
        fn never_panics(text in "[0-9dhmins. é]{0,12}") {
            if let Ok(duration) = parse(&text) {
                prop_assert_eq!(parse(&format(duration)), Ok(duration));
            }
        }
    }
}
