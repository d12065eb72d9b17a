//! The forms in which a secret commonly leaks: as it is, quoted, escaped, encoded, or one of its lines.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

/// One spelling of a secret.
#[derive(Clone, Debug)]
pub(super) struct Form {
    /// What stands in a mark: the secret's name, and the encoding unless it is the plain value.
    pub label: String,
    /// What stands in the text.
    pub text: String,
}

/// Lines shorter than this are not hidden on their own: they would be found everywhere.
const SHORTEST_LINE: usize = 4;

/// Every form of a secret. Of two forms with the same text, the first names it.
pub(super) fn forms(name: &str, value: &str) -> Vec<Form> {
    let mut all = encodings(name, "", value);
    if value.contains('\n') {
        for (number, line) in value.split('\n').enumerate() {
            let line = line.strip_suffix('\r').unwrap_or(line);
            if line.chars().count() >= SHORTEST_LINE {
                all.extend(encodings(name, &format!("line{}", number + 1), line));
            }
        }
    }
    all
}

fn encodings(name: &str, part: &str, value: &str) -> Vec<Form> {
    let json = escape_json(value);
    let bytes = value.as_bytes();
    let mut all = vec![("", value.to_owned())];
    all.extend([
        ("json2", escape_json(&json)),
        ("json-html", escape_html(&json)),
        ("shell", value.replace('\'', r"'\''")),
        ("shell-mixed", value.replace('\'', r#"'"'"'"#)),
        ("percent", percent(value, "-_.~", Case::Upper)),
        ("percent-lower", percent(value, "-_.~", Case::Lower)),
        ("percent-loose", percent(value, "-_.~!'()*", Case::Upper)),
        (
            "form",
            percent(value, "-_.* ", Case::Upper).replace(' ', "+"),
        ),
        ("hex", hex(bytes, Case::Lower)),
        ("hex-upper", hex(bytes, Case::Upper)),
        ("base64-padded", STANDARD.encode(bytes)),
        ("base64url-padded", URL_SAFE.encode(bytes)),
        ("base64", aligned(bytes, 0, &STANDARD_NO_PAD)),
        ("base64+1", aligned(bytes, 1, &STANDARD_NO_PAD)),
        ("base64+2", aligned(bytes, 2, &STANDARD_NO_PAD)),
        ("base64url", aligned(bytes, 0, &URL_SAFE_NO_PAD)),
        ("base64url+1", aligned(bytes, 1, &URL_SAFE_NO_PAD)),
        ("base64url+2", aligned(bytes, 2, &URL_SAFE_NO_PAD)),
        ("json", json),
    ]);
    let label = |encoding: &str| match (part, encoding) {
        ("", "") => name.to_owned(),
        ("", encoding) => format!("{name}:{encoding}"),
        (part, "") => format!("{name}:{part}"),
        (part, encoding) => format!("{name}:{part}-{encoding}"),
    };
    all.into_iter()
        .map(|(encoding, text)| Form {
            label: label(encoding),
            text,
        })
        .collect()
}

/// The value as it stands between the quotes of a JSON string.
pub(super) fn escape_json(value: &str) -> String {
    let quoted = serde_json::to_string(value).expect("a string always has a JSON form");
    quoted[1..quoted.len() - 1].to_owned()
}

/// As Go's encoder writes it, which escapes what has a meaning in HTML.
fn escape_html(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}

/// The base64 digits that depend on these bytes alone when `skew` other bytes precede them in their group
/// of three: what can be found in a longer encoded text.
fn aligned(bytes: &[u8], skew: usize, engine: &impl base64::Engine) -> String {
    let mut padded = vec![0; skew];
    padded.extend_from_slice(bytes);
    let first = (skew * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    engine.encode(&padded)[first..last].to_owned()
}

#[derive(Clone, Copy)]
enum Case {
    Lower,
    Upper,
}

fn hex(bytes: &[u8], case: Case) -> String {
    bytes.iter().map(|byte| hex_byte(*byte, case)).collect()
}

fn hex_byte(byte: u8, case: Case) -> String {
    match case {
        Case::Lower => format!("{byte:02x}"),
        Case::Upper => format!("{byte:02X}"),
    }
}

/// Percent-encoded, but for letters, digits and the characters in `kept`.
fn percent(value: &str, kept: &str, case: Case) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&hex_byte(byte, case));
        }
    }
    out
}
