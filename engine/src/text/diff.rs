//! Differences for readers, without colours: the terminal adds those.

use std::time::Duration;

use serde_json::{Map, Value as Json};
use similar::TextDiff;

/// How long to search for the smallest difference of two large files; then a larger one has to do.
const PATIENCE: Duration = Duration::from_millis(500);

/// How many characters of a changed value are shown.
const SHOWN: usize = 120;

/// A unified diff of two files' contents; none stands for a file that is not there. Empty if nothing differs.
pub fn unified(path: &str, before: Option<&[u8]>, after: Option<&[u8]>) -> String {
    if before == after {
        return String::new();
    }
    let name = |content: Option<&[u8]>| if content.is_some() { path } else { "/dev/null" };
    let header = format!("--- {}\n+++ {}\n", name(before), name(after));
    let (old, new) = (before.unwrap_or_default(), after.unwrap_or_default());
    match (text(old), text(new)) {
        (Some(old), Some(new)) => format!("{header}{}", hunks(old, new)),
        _ => format!(
            "{header}binary files differ ({} → {} bytes)\n",
            old.len(),
            new.len()
        ),
    }
}

/// The text of what is one: UTF-8 without NUL.
fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes)
        .ok()
        .filter(|text| !text.contains('\0'))
}

fn hunks(old: &str, new: &str) -> String {
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(old, new);
    diff.unified_diff().context_radius(3).to_string()
}

/// The fields in which two JSON values differ: `spec.replicas: 1 → 2`, one a line. The items of a list are told by
/// their `name` where all have one, else by their place.
pub fn fields(before: &Json, after: &Json) -> String {
    let mut lines = Vec::new();
    compare("", before, after, &mut lines);
    lines.join("\n")
}

fn compare(path: &str, before: &Json, after: &Json, lines: &mut Vec<String>) {
    match (before, after) {
        (Json::Object(old), Json::Object(new)) => {
            let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                part(&field(path, key), old.get(key), new.get(key), lines);
            }
        }
        (Json::Array(old), Json::Array(new)) => match (named(old), named(new)) {
            (Some(old), Some(new)) => {
                for (name, item) in &old {
                    part(
                        &format!("{path}[{name}]"),
                        Some(*item),
                        find(&new, name),
                        lines,
                    );
                }
                for (name, item) in new.iter().filter(|(name, _)| find(&old, name).is_none()) {
                    part(&format!("{path}[{name}]"), None, Some(*item), lines);
                }
                let names = |items: &Named<'_>| {
                    items
                        .iter()
                        .map(|(name, _)| (*name).to_owned())
                        .collect::<Vec<_>>()
                };
                let (mut from, mut to) = (names(&old), names(&new));
                from.retain(|name| to.contains(name));
                to.retain(|name| from.contains(name));
                if from != to {
                    let order = format!("order {} → {}", from.join(", "), to.join(", "));
                    lines.push(labelled(path, &order));
                }
            }
            _ => {
                for place in 0..old.len().max(new.len()) {
                    part(
                        &format!("{path}[{place}]"),
                        old.get(place),
                        new.get(place),
                        lines,
                    );
                }
            }
        },
        (Json::String(old), Json::String(new))
            if old != new && (old.contains('\n') || new.contains('\n')) =>
        {
            lines.push(format!("{path}:"));
            let hunks = hunks(old, new);
            lines.extend(hunks.lines().map(|line| format!("  {line}")));
        }
        (old, new) if old != new => {
            let (old, new) = (old.to_string(), new.to_string());
            let same = common(&old, &new);
            let change = format!("{} → {}", short(&old, same), short(&new, same));
            lines.push(labelled(path, &change));
        }
        _ => {}
    }
}

fn labelled(path: &str, change: &str) -> String {
    if path.is_empty() {
        change.to_owned()
    } else {
        format!("{path}: {change}")
    }
}

fn part(path: &str, before: Option<&Json>, after: Option<&Json>, lines: &mut Vec<String>) {
    match (before, after) {
        (Some(old), Some(new)) => compare(path, old, new, lines),
        (Some(old), None) => lines.push(format!("{path}: {} → (gone)", short(&old.to_string(), 0))),
        (None, Some(new)) => lines.push(format!("{path}: (none) → {}", short(&new.to_string(), 0))),
        (None, None) => {}
    }
}

/// A path with one more key; a key with other characters than most is quoted: `annotations["k8s.io/x"]`.
fn field(path: &str, key: &str) -> String {
    let usual = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || "-_".contains(c));
    match (usual, path) {
        (true, "") => key.to_owned(),
        (true, _) => format!("{path}.{key}"),
        (false, _) => format!("{path}[{key:?}]"),
    }
}

type Named<'a> = Vec<(&'a str, &'a Json)>;

/// The items of a list by their names, if all have one and no two the same.
fn named(items: &[Json]) -> Option<Named<'_>> {
    let name = |item: &'_ Map<String, Json>| item.get("name").is_some_and(Json::is_string);
    let mut found: Named<'_> = Vec::new();
    for item in items {
        let entries = item.as_object().filter(|entries| name(entries))?;
        let name = entries.get("name")?.as_str()?;
        if find(&found, name).is_some() {
            return None;
        }
        found.push((name, item));
    }
    Some(found)
}

fn find<'a>(items: &Named<'a>, name: &str) -> Option<&'a Json> {
    items
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, item)| *item)
}

/// How many characters two texts begin with in common.
fn common(one: &str, other: &str) -> usize {
    one.chars()
        .zip(other.chars())
        .take_while(|(one, other)| one == other)
        .count()
}

/// A value of bearable length, with the part in it where the difference starts.
fn short(text: &str, same: usize) -> String {
    let length = text.chars().count();
    if length <= SHOWN {
        return text.to_owned();
    }
    let from = same.saturating_sub(SHOWN / 4).min(length - SHOWN);
    let window: String = text.chars().skip(from).take(SHOWN).collect();
    let (before, after) = (
        if from > 0 { "…" } else { "" },
        if from + SHOWN < length { "…" } else { "" },
    );
    format!("{before}{window}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn shows_changed_lines_with_their_surroundings() {
        let diff = unified("/etc/x", Some(b"a\nb\nc\n"), Some(b"a\nB\nc\n"));
        assert_eq!(
            diff,
            "--- /etc/x\n+++ /etc/x\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"
        );
        assert_eq!(unified("/etc/x", Some(b"a"), Some(b"a")), "");
        assert_eq!(unified("/etc/x", None, None), "");
    }

    #[test]
    fn shows_what_appears_and_goes() {
        let made = unified("/etc/x", None, Some(b"a\n"));
        assert_eq!(made, "--- /dev/null\n+++ /etc/x\n@@ -0,0 +1 @@\n+a\n");
        let gone = unified("/etc/x", Some(b"a\n"), None);
        assert_eq!(gone, "--- /etc/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n");
        assert_eq!(
            unified("/etc/x", None, Some(b"")),
            "--- /dev/null\n+++ /etc/x\n"
        );
    }

    #[test]
    fn tells_what_lines_do_not_show() {
        let diff = unified("/etc/x", Some(b"a"), Some(b"a\n"));
        assert!(diff.contains("No newline at end of file"), "{diff}");
        let binary = unified("/etc/x", Some(&[0xff]), None);
        assert_eq!(
            binary,
            "--- /etc/x\n+++ /dev/null\nbinary files differ (1 → 0 bytes)\n"
        );
        assert!(unified("/etc/x", Some(b"a\0"), Some(b"a")).contains("2 → 1 bytes"));
    }

    #[test]
    fn names_the_fields_that_differ() {
        let before = json!({"a": {"b": 1, "c": [1]}, "d": 1, "k8s.io/x": true});
        let after = json!({"a": {"b": 2, "c": [1]}, "e": "x", "k8s.io/x": false});
        assert_eq!(
            fields(&before, &after),
            "a.b: 1 → 2\nd: 1 → (gone)\ne: (none) → \"x\"\n[\"k8s.io/x\"]: true → false"
        );
        assert_eq!(fields(&before, &before), "");
        assert_eq!(fields(&json!(1), &json!("1")), "1 → \"1\"");
    }

    #[test]
    fn tells_items_of_lists_apart() {
        let before = json!({"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}], "args": ["-v", "x"]});
        let after = json!({"env": [{"name": "C", "value": "3"}, {"name": "B", "value": "4"}], "args": ["-v"]});
        assert_eq!(
            fields(&before, &after),
            "args[1]: \"x\" → (gone)\nenv[A]: {\"name\":\"A\",\"value\":\"1\"} → (gone)\n\
             env[B].value: \"2\" → \"4\"\nenv[C]: (none) → {\"name\":\"C\",\"value\":\"3\"}"
        );
        let turned = fields(
            &json!([{"name": "A"}, {"name": "B"}]),
            &json!([{"name": "B"}, {"name": "A"}]),
        );
        assert_eq!(turned, "order A, B → B, A");
    }

    #[test]
    fn shows_where_long_values_differ() {
        let long = "x".repeat(1000);
        let line = fields(
            &json!({"a": format!("{long}1{long}")}),
            &json!({"a": format!("{long}2{long}")}),
        );
        assert!(line.contains("x1x") && line.contains("x2x"), "{line}");
        assert!(line.chars().count() < 300, "{line}");
        let lines = fields(&json!({"a": "one\ntwo\n"}), &json!({"a": "one\n2\n"}));
        assert_eq!(lines, "a:\n  @@ -1,2 +1,2 @@\n   one\n  -two\n  +2");
    }

    /// Applies a unified diff, so that the test does not depend on how it is made.
    fn apply(diff: &str) -> (Vec<&str>, Vec<&str>) {
        let body = diff
            .lines()
            .skip(2)
            .filter(|line| !line.starts_with("@@") && !line.starts_with('\\'));
        let (mut old, mut new) = (Vec::new(), Vec::new());
        for line in body {
            let (mark, rest) = line.split_at(1);
            if mark != "+" {
                old.push(rest);
            }
            if mark != "-" {
                new.push(rest);
            }
        }
        (old, new)
    }

    proptest! {
        #[test]
        fn a_diff_holds_both_sides(
            old in proptest::collection::vec("[a-c]{0,2}", 0..3),
            new in proptest::collection::vec("[a-c]{0,2}", 0..3),
        ) {
            let text = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
            let diff = unified("/x", Some(text(&old).as_bytes()), Some(text(&new).as_bytes()));
            if old == new {
                prop_assert_eq!(diff, "");
            } else {
                let (from, to) = apply(&diff);
                prop_assert_eq!(from, old.iter().map(String::as_str).collect::<Vec<_>>());
                prop_assert_eq!(to, new.iter().map(String::as_str).collect::<Vec<_>>());
            }
        }

        #[test]
        fn fields_are_shown_exactly_where_something_differs(a in json_value(), b in json_value()) {
            prop_assert_eq!(fields(&a, &b).is_empty(), a == b, "{} {}", a, b);
        }
    }

    fn json_value() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            (0i64..3).prop_map(Json::from),
            "[a-b\n]{0,2}".prop_map(Json::from)
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Json::from),
                proptest::collection::vec(("[a-b]", inner.clone()), 0..3).prop_map(|items| {
                    Json::from(
                        items
                            .into_iter()
                            .map(|(name, value)| json!({"name": name, "v": value}))
                            .collect::<Vec<_>>(),
                    )
                }),
                proptest::collection::btree_map("[a-b]|name", inner, 0..3)
                    .prop_map(|map| Json::Object(map.into_iter().collect())),
            ]
        })
    }
}
