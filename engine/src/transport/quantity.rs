//! Kubernetes quantities (`500m`, `1Gi`): the server stores them in a canonical form, so that what comes back is
//! not always the text that was sent.

use serde_json::Value as Json;

/// Whether both are quantities of the same size.
pub fn same_quantity(one: &Json, other: &Json) -> bool {
    match (nanos(one), nanos(other)) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    }
}

/// The size in billionths; `None` for what is no quantity or does not fit.
fn nanos(value: &Json) -> Option<i128> {
    let text = match value {
        Json::String(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        _ => return None,
    };
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || "+-.".contains(c)))
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (numerator, denominator) = scale(suffix)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let parts = 10i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let scaled = digits.checked_mul(numerator)?;
    let divisor = parts.checked_mul(denominator)?;
    // Smaller than a billionth is rounded up by the server; nobody writes that.
    (scaled % divisor == 0).then(|| scaled / divisor)
}

/// Factor from the suffix's unit to billionths, as a fraction.
fn scale(suffix: &str) -> Option<(i128, i128)> {
    const NANO: i128 = 1_000_000_000;
    let binary = |power: u32| NANO.checked_mul(1024i128.checked_pow(power)?);
    let decimal = |power: u32| NANO.checked_mul(10i128.checked_pow(power)?);
    let factor = match suffix {
        "" => NANO,
        "n" => 1,
        "u" => 1_000,
        "m" => 1_000_000,
        "k" => decimal(3)?,
        "M" => decimal(6)?,
        "G" => decimal(9)?,
        "T" => decimal(12)?,
        "P" => decimal(15)?,
        "E" => decimal(18)?,
        "Ki" => binary(1)?,
        "Mi" => binary(2)?,
        "Gi" => binary(3)?,
        "Ti" => binary(4)?,
        "Pi" => binary(5)?,
        "Ei" => binary(6)?,
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            let power = 10i128.checked_pow(exponent.unsigned_abs())?;
            return match exponent {
                0.. => Some((NANO.checked_mul(power)?, 1)),
                _ => Some((NANO, power)),
            };
        }
    };
    Some((factor, 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_same_size_in_other_words() {
        for (one, other) in [
            (json!("1024Mi"), json!("1Gi")),
            (json!("1000m"), json!(1)),
            (json!("0.5"), json!("500m")),
            (json!("1e3"), json!("1k")),
            (json!("1500e-3"), json!("1.5")),
        ] {
            assert!(same_quantity(&one, &other), "{one} {other}");
        }
        for (one, other) in [
            (json!("1M"), json!("1Mi")),
            (json!("1"), json!("1m")),
            (json!("abc"), json!("abc")),
            (json!(""), json!("")),
            (json!("1x"), json!("1x")),
        ] {
            assert!(!same_quantity(&one, &other), "{one} {other}");
        }
    }
}
