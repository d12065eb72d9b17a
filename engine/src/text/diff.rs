//! Differences for readers, without colours: the terminal adds those.

use serde_json::Value as Json;
use similar::TextDiff;

/// A unified diff of two files' contents; none stands for a file that is not there. Empty if nothing differs.
pub fn unified(path: &str, before: Option<&[u8]>, after: Option<&[u8]>) -> String {
    if before == after {
        return String::new();
    }
    let name = |side: &str, content: Option<&[u8]>| match content {
        Some(_) => format!("{side}{path}"),
        None => "/dev/null".to_owned(),
    };
    let (from, to) = (name("", before), name("", after));
    let (old, new) = (before.unwrap_or_default(), after.unwrap_or_default());
    match (std::str::from_utf8(old), std::str::from_utf8(new)) {
        (Ok(old), Ok(new)) if !old.contains('\0') && !new.contains('\0') => {
            let diff = TextDiff::from_lines(old, new);
            let text = diff.unified_diff().context_radius(3).header(&from, &to).to_string();
            // An empty file that appears or goes has no lines to show.
            if text.is_empty() { format!("--- {from}\n+++ {to}\n") } else { text }
        }
        _ => format!("--- {from}\n+++ {to}\nbinary files differ ({} → {} bytes)\n", old.len(), new.len()),
    }
}

/// The fields in which two JSON values differ: `spec.replicas: 1 → 2`, one a line.
pub fn fields(before: &Json, after: &Json) -> String {
    let mut lines = Vec::new();
    compare("", before, after, &mut lines);
    lines.join("\n")
}

fn compare(path: &str, before: &Json, after: &Json, lines: &mut Vec<String>) {
    let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (before, after) {
        (Json::Object(old), Json::Object(new)) => {
            let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                match (old.get(key), new.get(key)) {
                    (Some(old), Some(new)) => compare(&join(key), old, new, lines),
                    (Some(old), None) => lines.push(format!("{}: {} → (gone)", join(key), short(old))),
                    (None, Some(new)) => lines.push(format!("{}: (none) → {}", join(key), short(new))),
                    (None, None) => {}
                }
            }
        }
        (old, new) if old != new => {
            let place = if path.is_empty() { String::new() } else { format!("{path}: ") };
            lines.push(format!("{place}{} → {}", short(old), short(new)));
        }
        _ => {}
    }
}

fn short(value: &Json) -> String {
    let text = value.to_string();
    if text.chars().count() <= 120 { text } else { text.chars().take(117).chain("…".chars()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_appears_and_goes() {
        let diff = unified("/etc/x", None, Some(b"a\n"));
        assert_eq!(diff, "--- /dev/null\n+++ /etc/x\n@@ -0,0 +1 @@\n+a\n");
        assert!(unified("/etc/x", Some(b"a"), Some(b"a\n")).contains("No newline at end of file"));
        assert!(unified("/etc/x", Some(&[0xff]), None).contains("1 → 0 bytes"));
        assert_eq!(unified("/etc/x", Some(b"a"), Some(b"a")), "");
    }

    #[test]
    fn names_the_fields_that_differ() {
        let before = serde_json::json!({"a": {"b": 1, "c": [1]}, "d": 1});
        let after = serde_json::json!({"a": {"b": 2, "c": [1]}, "e": "x"});
        assert_eq!(fields(&before, &after), "a.b: 1 → 2\nd: 1 → (gone)\ne: (none) → \"x\"");
    }
}
