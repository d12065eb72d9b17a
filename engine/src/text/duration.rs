//! Durations as people write them: `250ms`, `90s`, `5m`, `1h30m`, `2d`.

use std::fmt;
use std::time::Duration;

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a duration; write it like \"250ms\", \"90s\", \"5m\" or \"1h30m\"")]
pub struct DurationError {
    text: String,
}

/// Reads a duration. Units: ms, s, m (or min), h, d; the largest first, each at most once.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    read(text.trim()).ok_or_else(|| DurationError { text: text.to_owned() })
}

fn read(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u64); 6] =
        [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
    let mut rest = text;
    let mut last = u64::MAX;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (_, unit) = *UNITS.iter().find(|(name, _)| *name == &rest[..letters])?;
        if unit >= last {
            return None;
        }
        last = unit;
        rest = &rest[letters..];
        total = total.checked_add(number.checked_mul(unit)?)?;
    }
    (last != u64::MAX).then(|| Duration::from_millis(total))
}

/// Writes a duration so that [`parse`] reads it back, to the millisecond.
pub fn format(duration: Duration) -> String {
    let mut left = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut out = String::new();
    for (name, unit) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
        if left >= unit {
            // Writing into a String cannot fail.
            let _ = fmt::Write::write_fmt(&mut out, format_args!("{}{name}", left / unit));
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
    fn refuses_what_could_mean_two_things() {
        for text in ["", "5", "m", "5 m", "5x", "5s5m", "5m5m", "-5s", "1.5s", "99999999999999999999d"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(parse(" 1h30m "), Ok(Duration::from_secs(5400)));
        assert_eq!(parse("5min"), Ok(Duration::from_secs(300)));
    }

    proptest! {
        #[test]
        fn reads_back_what_it_writes(milliseconds in 0u64..10_000_000_000) {
            let duration = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }
    }
}
