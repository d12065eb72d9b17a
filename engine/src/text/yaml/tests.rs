use proptest::prelude::*;

use super::*;

const KEY: &[&str] = &["flannel-iface"];

fn set(text: &str, value: impl Into<Value>) -> String {
    set_yaml(text, KEY, &value.into()).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

#[test]
fn replaces_only_the_value() {
    let cases = [
        ("flannel-iface: tailscale0\n", "flannel-iface: eth0\n"),
        (
            "flannel-iface: \"tailscale0\"\n",
            "flannel-iface: \"eth0\"\n",
        ),
        ("flannel-iface: 'tailscale0'\n", "flannel-iface: 'eth0'\n"),
        (
            "flannel-iface:   tailscale0   # why\n",
            "flannel-iface:   eth0   # why\n",
        ),
        ("flannel-iface : tailscale0\n", "flannel-iface : eth0\n"),
        ("flannel-iface:\ttailscale0\n", "flannel-iface:\teth0\n"),
        ("flannel-iface: tailscale0 \t\n", "flannel-iface: eth0 \t\n"),
        (
            "\"flannel-iface\": tailscale0\n",
            "\"flannel-iface\": eth0\n",
        ),
        (
            "'flannel-iface': \"tailscale0\" # k\n",
            "'flannel-iface': \"eth0\" # k\n",
        ),
        (
            "# flannel-iface: x\nflannel-iface: tailscale0\n",
            "# flannel-iface: x\nflannel-iface: eth0\n",
        ),
        (
            "#flannel-iface: x\nflannel-iface: tailscale0\n",
            "#flannel-iface: x\nflannel-iface: eth0\n",
        ),
        (
            "a: 1\r\nflannel-iface: tailscale0\r\nb: 2\r\n",
            "a: 1\r\nflannel-iface: eth0\r\nb: 2\r\n",
        ),
        (
            "flannel-iface: tailscale01\nflannel-iface-x: 1\n",
            "flannel-iface: eth0\nflannel-iface-x: 1\n",
        ),
        (
            "x: {flannel-iface: no}\nflannel-iface: a\n",
            "x: {flannel-iface: no}\nflannel-iface: eth0\n",
        ),
        (
            "x: |\n  flannel-iface: a\nflannel-iface: a\n",
            "x: |\n  flannel-iface: a\nflannel-iface: eth0\n",
        ),
        (
            "x: \"\n  flannel-iface: a\"\nflannel-iface: a\n",
            "x: \"\n  flannel-iface: a\"\nflannel-iface: eth0\n",
        ),
        (
            "---\nflannel-iface: tailscale0\n...\n",
            "---\nflannel-iface: eth0\n...\n",
        ),
        ("flannel-iface:\n", "flannel-iface: eth0\n"),
        ("flannel-iface: ~\n", "flannel-iface: eth0\n"),
        (
            "flannel-iface: # none yet\na: b\n",
            "flannel-iface: eth0 # none yet\na: b\n",
        ),
        (
            "flannel-iface: \"a # b\" # c\n",
            "flannel-iface: \"eth0\" # c\n",
        ),
        ("flannel-iface: a#b\n", "flannel-iface: eth0\n"),
        (
            "flannel-iface: 'it''s' # it's\n",
            "flannel-iface: 'eth0' # it's\n",
        ),
        ("flannel-iface: \"a\\\"b\"\n", "flannel-iface: \"eth0\"\n"),
        (
            "flannel-iface: two\n  lines\nb: 1\n",
            "flannel-iface: eth0\nb: 1\n",
        ),
        (
            "flannel-iface:\n  below\nb: 1\n",
            "flannel-iface:\n  eth0\nb: 1\n",
        ),
        ("flannel-iface: [a, b]\n", "flannel-iface: eth0\n"),
        ("flannel-iface: {}\n", "flannel-iface: eth0\n"),
        (
            "flannel-iface:\n- a\n- b\nb: 1\n",
            "flannel-iface: eth0\nb: 1\n",
        ),
        (
            "  a: 1\n  flannel-iface: x\n",
            "  a: 1\n  flannel-iface: eth0\n",
        ),
        (
            "{a: 1,   flannel-iface: x, b: 2}\n",
            "{a: 1,   flannel-iface: eth0, b: 2}\n",
        ),
        (
            "{\"a\": 1, \"flannel-iface\": \"x\"}\n",
            "{\"a\": 1, \"flannel-iface\": \"eth0\"}\n",
        ),
        (
            "\u{feff}flannel-iface: x\n",
            "\u{feff}flannel-iface: eth0\n",
        ),
        (
            "ü: ß\nflannel-iface: ö # ä\n",
            "ü: ß\nflannel-iface: eth0 # ä\n",
        ),
        (
            "b: &x 1\nflannel-iface: y\nc: *x\n",
            "b: &x 1\nflannel-iface: eth0\nc: *x\n",
        ),
        ("flannel-iface: tailscale0", "flannel-iface: eth0"),
    ];
    for (before, after) in cases {
        assert_eq!(set(before, "eth0"), after, "{before:?}");
        assert_eq!(
            set(after, "eth0"),
            after,
            "not the same the second time: {before:?}"
        );
    }
}

#[test]
fn adds_a_missing_key() {
    let cases = [
        ("", "flannel-iface: eth0\n"),
        ("\n\n", "\n\nflannel-iface: eth0\n"),
        (
            "# only a comment\n",
            "# only a comment\nflannel-iface: eth0\n",
        ),
        ("# only a comment", "# only a comment\nflannel-iface: eth0"),
        (
            "#flannel-iface: x\n",
            "#flannel-iface: x\nflannel-iface: eth0\n",
        ),
        ("---\n", "---\nflannel-iface: eth0\n"),
        ("---\na: 1\n...\n", "---\na: 1\nflannel-iface: eth0\n...\n"),
        ("a: 1", "a: 1\nflannel-iface: eth0"),
        (
            "a: 1\n# the end\n",
            "a: 1\n# the end\nflannel-iface: eth0\n",
        ),
        ("a:\n  - x\n", "a:\n  - x\nflannel-iface: eth0\n"),
        ("a:\n- x\n", "a:\n- x\nflannel-iface: eth0\n"),
        ("a: |\n  text\n\n", "a: |\n  text\n\nflannel-iface: eth0\n"),
        (
            "a: |+\n  text\n\n",
            "a: |+\n  text\n\nflannel-iface: eth0\n",
        ),
        ("a: 1\r\n", "a: 1\r\nflannel-iface: eth0\r\n"),
        ("a: 1\r\nb: 2", "a: 1\r\nb: 2\r\nflannel-iface: eth0"),
        (
            "x:\n  flannel-iface: other\n",
            "x:\n  flannel-iface: other\nflannel-iface: eth0\n",
        ),
        ("  a: 1\n", "  a: 1\n  flannel-iface: eth0\n"),
        ("{}\n", "flannel-iface: eth0\n"),
        ("{a: 1}\n", "{a: 1, flannel-iface: eth0}\n"),
        ("{a: 1 , }\n", "{a: 1, flannel-iface: eth0 , }\n"),
        ("\u{feff}a: 1\n", "\u{feff}a: 1\nflannel-iface: eth0\n"),
    ];
    for (before, after) in cases {
        assert_eq!(set(before, "eth0"), after, "{before:?}");
        assert_eq!(
            set(after, "eth0"),
            after,
            "not the same the second time: {before:?}"
        );
    }
}

#[test]
fn quotes_what_a_reader_could_take_for_something_else() {
    let quoted = [
        "yes",
        "No",
        "on",
        "y",
        "1",
        "1_000",
        "0x10",
        "0o7",
        "017",
        "1e3",
        "1.5",
        "1:30",
        "2026-01-01",
        "null",
        "~",
        "true",
        ".inf",
        "",
        " x",
        "x ",
        "- x",
        "-",
        "*a",
        "&a",
        "!a",
        "a: b",
        "a:",
        "a #b",
        "#",
        "[",
        "{a}",
        "a, b",
        "%a",
        "@a",
        "`a`",
        "|",
        ">",
        "a\nb",
        "a\tb",
        "\u{7}",
        "\"",
        "'",
        "\\",
        "<<",
        "=",
        "--- x",
        "a  b",
        "\u{85}",
        "\u{2028}",
        "?",
        "?x",
        "🦀",
    ];
    for text in quoted {
        let edited = set("flannel-iface: old # c\n", text);
        assert!(
            edited.starts_with("flannel-iface: \""),
            "{text:?}: {edited:?}"
        );
        assert!(edited.ends_with("\" # c\n"), "{text:?}: {edited:?}");
        assert_eq!(
            get_yaml(&edited).unwrap().get("flannel-iface"),
            Some(&Value::from(text)),
            "{edited:?}"
        );
        assert_eq!(set(&edited, text), edited);
    }
    for text in [
        "eth0",
        "10.0.0.1",
        "10.42.0.0/16",
        "1.2.3",
        "100m",
        "5Gi",
        "/etc/x",
        "a b",
        "a:b",
        "x.y@z",
        "wireguard-native",
    ] {
        assert_eq!(
            set("flannel-iface: old\n", text),
            format!("flannel-iface: {text}\n")
        );
    }
}

#[test]
fn a_text_without_the_quotes_that_it_needs_gets_them() {
    assert_eq!(
        set("flannel-iface: yes\n", "yes"),
        "flannel-iface: \"yes\"\n"
    );
    assert_eq!(
        set("flannel-iface: 'yes'\n", "yes"),
        "flannel-iface: 'yes'\n"
    );
}

#[test]
fn types_are_kept_apart() {
    assert_eq!(set("flannel-iface: old\n", true), "flannel-iface: true\n");
    assert_eq!(set("flannel-iface: 'old'\n", 7), "flannel-iface: 7\n");
    assert_eq!(set("flannel-iface: 7\n", "7"), "flannel-iface: \"7\"\n");
    assert_eq!(set("flannel-iface: \"7\"\n", 7), "flannel-iface: 7\n");
    assert_eq!(set("flannel-iface: 0x7\n", 7), "flannel-iface: 0x7\n");
    assert_eq!(set("flannel-iface: yes\n", true), "flannel-iface: true\n");
    assert_eq!(
        set("flannel-iface: 'a'\n", "it's"),
        "flannel-iface: 'it''s'\n"
    );
    assert_eq!(
        set("flannel-iface: 'a'\n", "a\nb"),
        "flannel-iface: \"a\\nb\"\n"
    );
    assert!(set_yaml("a: 1\n", KEY, &Value::Null).is_err());
    assert!(set_yaml("a: 1\n", KEY, &Value::map()).is_err());
}

#[test]
fn sets_keys_of_inner_maps() {
    let text =
        "a:\n    b:\n        c: 1 # keep\n        # more\n\n    d: 2\ne: 3\nf:\ng: {h: {}, i: ~}\n";
    let cases: &[(&[&str], &str, &str)] = &[
        (&["a", "b", "c"], "c: 1 #", "c: 5 #"),
        (&["a", "b", "x"], "# keep\n", "# keep\n        x: 5\n"),
        (&["a", "x"], "    d: 2\n", "    d: 2\n    x: 5\n"),
        (&["f", "x"], "f:\n", "f:\n    x: 5\n"),
        (&["f", "x", "k"], "f:\n", "f:\n    x:\n        k: 5\n"),
        (&["g", "h", "x"], "h: {}", "h: {x: 5}"),
        (&["g", "i", "x", "k"], "i: ~", "i: {x: {k: 5}}"),
        (&["g", "x"], "i: ~}", "i: ~, x: 5}"),
        (&["x", "k"], "i: ~}\n", "i: ~}\nx:\n    k: 5\n"),
        (&["x: y"], "i: ~}\n", "i: ~}\n\"x: y\": 5\n"),
    ];
    for (path, from, to) in cases {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        let edited = set_yaml(text, path, &Value::Int(5))
            .unwrap_or_else(|error| panic!("{path:?}: {error}"));
        assert_eq!(edited, text.replace(from, to), "{path:?}");
    }
}

#[test]
fn sets_lists() {
    let cases = [
        ("l: [a, b] # c\n", "l: [a, x] # c\n"),
        ("l: [\"a\", 'b']\n", "l: [\"a\", \"x\"]\n"),
        ("l: a # c\n", "l: [a, x] # c\n"),
        ("l:\n", "l: [a, x]\n"),
        ("l: []\n", "l: [a, x]\n"),
        ("l:\n- c\n- d\n- e\nx: 1\n", "l:\n- a\n- x\nx: 1\n"),
        (
            "l:\n  -   a # first\n  # stays\nx: 1\n",
            "l:\n  -   a # first\n  -   x\n  # stays\nx: 1\n",
        ),
        (
            "l:\n  - a # one\n  - x # two\n  - y\nz: 1\n",
            "l:\n  - a # one\n  - x # two\nz: 1\n",
        ),
        ("l:\r\n  - 'c'\r\n", "l:\r\n  - 'a'\r\n  - 'x'\r\n"),
        ("l:\n- c", "l:\n- a\n- x"),
    ];
    for (before, after) in cases {
        let edited = set_yaml(before, &["l"], &Value::from(vec!["a", "x"]));
        assert_eq!(edited.as_deref(), Ok(after), "{before:?}");
        assert_eq!(
            set_yaml(after, &["l"], &Value::from(vec!["a", "x"])).as_deref(),
            Ok(after)
        );
    }
    let none = Value::List(Vec::new());
    assert_eq!(
        set_yaml("l:\n- a\nb: 1\n", &["l"], &none).as_deref(),
        Ok("l: []\nb: 1\n")
    );
    assert_eq!(
        set("a: 1\n", vec!["x:y"]),
        "a: 1\nflannel-iface: [\"x:y\"]\n"
    );
}

#[test]
fn refuses_what_it_cannot_do_safely() {
    let cases = [
        (
            "b: 1\nflannel-iface: &a tailscale0\nc: *a\n",
            "line 2: the value is an anchor",
        ),
        (
            "b: &a x\nflannel-iface: *a\n",
            "line 2: the value is an alias",
        ),
        ("&root\nflannel-iface: x\n", "anchor"),
        ("&root\n", "anchor"),
        (
            "b: &a {flannel-iface: x}\n<<: *a\n",
            "line 2: `flannel-iface` may already come from",
        ),
        ("flannel-iface: !!str x\n", "line 1: the value has a tag"),
        ("flannel-iface: |\n  text\n", "a block of text"),
        (
            "a: 1\n---\nflannel-iface: x\n",
            "line 2, column 1: a second YAML document",
        ),
        (
            "---\na: 1\n---\n",
            "line 3, column 1: a second YAML document",
        ),
        (
            "flannel-iface: a\nb: 1\nflannel-iface: b\n",
            "line 3, column 1: the key `flannel-iface` stands twice in the same map, first on line 1",
        ),
        (
            "a:\n  b: 1\n  b: 2\n",
            "line 3, column 3: the key `b` stands twice",
        ),
        ("{\"a\": 1, a: 2}\n", "stands twice"),
        ("- a\n", "line 1: `the file` is not a map"),
        ("just text\n", "is not a map"),
        ("~\n", "is not a map"),
        ("flannel-iface:\n  x: 1\n", "line 2: the value is a map"),
        ("flannel-iface: [a,\n  # why\n  b]\n", "comments inside"),
        ("flannel-iface:\n- a # why\n- b\n", "comments inside"),
        ("flannel-iface: [\n", "line 1, column 16: unclosed bracket"),
        (
            "a:\n\tflannel-iface: x\n",
            "line 2, column 2: the line is indented with a tab",
        ),
        ("? flannel-iface\n", "unusual way"),
        ("a: b: c\n", "line 1, column 5"),
    ];
    for (text, part) in cases {
        let error = set_yaml(text, KEY, &Value::from("eth0"))
            .expect_err(text)
            .to_string();
        assert!(error.contains(part), "{text:?}: {error}");
    }
    let error = set_yaml("a: x\n", &["a", "b"], &Value::from("y"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("`a` is not a map"), "{error}");
    assert!(set_yaml("", &[], &Value::from("y")).is_err());
}

#[test]
fn reads_documents_as_plain_data() {
    let value = get_yaml("a: [1, 'x', true]\nb: {c: 1.5}\nd: yes\ne: &x z\nf: *x\n").unwrap();
    assert_eq!(
        value.canonical(),
        r#"{"a":[1,"x",true],"b":{"c":1.5},"d":"yes","e":"z","f":"z"}"#
    );
    assert_eq!(get_yaml("").unwrap(), Value::Null);
    assert_eq!(
        get_yaml("\u{feff}a: 1\n").unwrap().get("a"),
        Some(&Value::Int(1))
    );
    assert!(
        get_yaml("a: 1\na: 2\n")
            .unwrap_err()
            .to_string()
            .starts_with("line 2, column 1")
    );
}

/// Comments of any length are no obstacle, also between a key and its value.
#[test]
fn many_comments_are_fine() {
    let comments = "  # words\n".repeat(200);
    let text = format!("{comments}a:\n{comments}  b: 1\nflannel-iface: x\n");
    assert_eq!(set(&text, "eth0"), text.replace(": x", ": eth0"));
}

prop_compose! {
    /// A line of a map: some key, some value, perhaps a comment.
    fn line()(
        key in "[a-e]{1,3}|\"[a-e] [a-e]\"|'[f-h]: x'",
        gap in " {1,3}",
        value in "[a-z0-9]{1,6}|\"[ -!#-\\[\\]-~]{0,8}\"|'[ -&(-~]{0,8}'|\\[a, b\\]|\\{x: 1\\}|\\|\n  text # no comment|\n  - i # c\n  - j|\n  y: 1",
        comment in "|  # [ -~]{0,10}|\n# [ -~]{0,10}|\n",
    ) -> (String, String) {
        // What follows a header of a block is content, not a comment.
        let comment = if value.contains('\n') && comment.starts_with(' ') { String::new() } else { comment };
        (key.clone(), format!("{key}:{gap}{value}{comment}"))
    }
}

proptest! {
    #[test]
    fn everything_else_survives(
        lines in proptest::collection::vec(line(), 0..6),
        value in "[ -~äß🦀\n\t\u{85}]{0,12}",
        old in "|old|\"old\"|'old'|old # here|\"ol#d\" #here",
        at in 0usize..7,
        crlf in any::<bool>(),
    ) {
        let mut seen = std::collections::BTreeSet::new();
        let mut lines: Vec<String> =
            lines.into_iter().filter(|(key, _)| seen.insert(key.clone())).map(|(_, line)| line).collect();
        let ours = format!("flannel-iface: {old}");
        let at = at.min(lines.len());
        if at < 6 {
            lines.insert(at, ours.clone());
        }
        let end = if crlf { "\r\n" } else { "\n" };
        let text = format!("# top\n{}\n", lines.join("\n")).replace('\n', end);
        prop_assume!(get_yaml(&text).is_ok());
        let edited = set_yaml(&text, KEY, &Value::from(value.clone())).unwrap();
        let read = get_yaml(&edited).unwrap();
        prop_assert_eq!(read.get("flannel-iface"), Some(&Value::from(value.clone())));
        let others = |text: &str| -> Vec<String> {
            text.split(end).filter(|line| !line.starts_with("flannel-iface:")).map(str::to_owned).collect()
        };
        prop_assert_eq!(others(&edited), others(&text));
        prop_assert_eq!(edited.matches("here").count(), text.matches("here").count() + value.matches("here").count());
        prop_assert_eq!(set_yaml(&edited, KEY, &Value::from(value)).unwrap(), edited);
    }

    #[test]
    fn never_panics(text in "[a-c:{}\\[\\],&*!|>'\"#%@? \n\t\r-]{0,40}", value in ".{0,4}") {
        for path in [&["a"][..], &["a", "b"], &["c", "b", "a"]] {
            if let Ok(edited) = set_yaml(&text, path, &Value::from(value.clone())) {
                // A map with a key that is no text has no plain form, before the edit as after it.
                if get_yaml(&text).is_err() {
                    continue;
                }
                let read = get_yaml(&edited).unwrap();
                let found = path.iter().try_fold(&read, |around, key| around.get(key));
                prop_assert_eq!(found, Some(&Value::from(value.clone())), "{:?} → {:?}", text, edited);
            }
        }
    }
}
