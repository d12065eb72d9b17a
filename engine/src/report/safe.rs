//! Makes text that comes from a target safe to print: nothing in it can move the cursor, change colours,
//! reorder letters or hide (M9 for eyes). What would is shown as an escape such as `\x1b`.

/// Longest line that is printed, in characters; the rest is cut with a mark.
pub const LONGEST_LINE: usize = 2000;

/// Text as one line: line breaks and tabs are shown as escapes too.
pub fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (count, character) in text.chars().enumerate() {
        if count == LONGEST_LINE {
            out.push_str(&format!(
                "... ({} more characters)",
                text.chars().count() - count
            ));
            break;
        }
        push(&mut out, character);
    }
    out
}

/// Text as several lines: line breaks are kept, a tab becomes four spaces, a carriage return before a
/// line break is dropped, everything else as in [`line()`].
pub fn lines(text: &str) -> Vec<String> {
    text.lines()
        .map(|text| line(&text.replace('\t', "    ")))
        .collect()
}

/// JSON text whose strings cannot steer a terminal either, where somebody looks at it: what JSON lets stand in a
/// string, but a terminal obeys or hides, becomes `\u` escapes. To a reader of JSON nothing has changed.
pub fn json(text: &str) -> String {
    let harmless = |c: char| !(c.is_control() || hides(c));
    if text.chars().all(harmless) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if harmless(character) {
            out.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

fn push(out: &mut String, character: char) {
    match character {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        _ if character.is_control() => out.push_str(&format!("\\x{:02x}", character as u32)),
        _ if hides(character) => out.push_str(&format!("\\u{{{:x}}}", character as u32)),
        _ => out.push(character),
    }
}

/// Characters without a shape of their own that reorder, break or hide what is around them.
fn hides(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_becomes_visible() {
        for (hostile, shown) in [
            ("\x1b[2J\x1b[31mred", "\\x1b[2J\\x1b[31mred"),
            ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
            ("ok\rFAILED", "ok\\rFAILED"),
            ("a\u{9b}31m", "a\\x9b31m"),
            ("\u{202e}txt.exe", "\\u{202e}txt.exe"),
            ("ad\u{200b}min", "ad\\u{200b}min"),
            ("two\nlines\tin one\0", "two\\nlines\\tin one\\x00"),
            ("Grüße 日本", "Grüße 日本"),
        ] {
            assert_eq!(line(hostile), shown);
        }
    }

    #[test]
    fn json_means_the_same_and_steers_nothing() {
        let hostile = "a\u{9b}31m\u{202e}b\u{7f}\u{e0041}c é 🦀\n\u{1b}";
        let safe = json(&serde_json::to_string(hostile).unwrap());
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), hostile);
        assert!(
            safe.contains("\\u009b31m\\u202eb\\u007f\\udb40\\udc41c é 🦀"),
            "{safe}"
        );
    }

    #[test]
    fn lines_are_bounded_and_keep_their_breaks() {
        assert_eq!(lines("a\r\n\tb\x1b\n"), ["a", "    b\\x1b"]);
        let long = line(&"x".repeat(LONGEST_LINE + 7));
        assert!(long.ends_with("x... (7 more characters)"));
    }
}
