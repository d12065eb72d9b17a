use proptest::prelude::*;

use super::*;

fn set(text: &str, value: impl Into<Value>) -> String {
    set_yaml(text, &["flannel-iface"], &value.into()).unwrap()
}

#[test]
fn changes_only_the_value() {
    let cases = [
        ("flannel-iface: tailscale0\n", "flannel-iface: eth0\n"),
        ("flannel-iface: \"tailscale0\"\n", "flannel-iface: \"eth0\"\n"),
        ("flannel-iface: 'tailscale0'\n", "flannel-iface: 'eth0'\n"),
        ("flannel-iface:   tailscale0   # why\n", "flannel-iface:   eth0   # why\n"),
        ("\"flannel-iface\": tailscale0\n", "\"flannel-iface\": eth0\n"),
        ("# flannel-iface: x\nflannel-iface: tailscale0\n", "# flannel-iface: x\nflannel-iface: eth0\n"),
        ("a: 1\r\nflannel-iface: tailscale0\r\nb: 2\r\n", "a: 1\r\nflannel-iface: eth0\r\nb: 2\r\n"),
        ("flannel-iface: tailscale01\nflannel-iface-x: 1\n", "flannel-iface: eth0\nflannel-iface-x: 1\n"),
        ("---\nflannel-iface: tailscale0\n", "---\nflannel-iface: eth0\n"),
        ("flannel-iface:\n", "flannel-iface: eth0\n"),
        ("flannel-iface: # none yet\na: b\n", "flannel-iface: eth0 # none yet\na: b\n"),
        ("flannel-iface: \"a # b\" # c\n", "flannel-iface: \"eth0\" # c\n"),
        ("flannel-iface: tailscale0", "flannel-iface: eth0"),
    ];
    for (before, after) in cases {
        assert_eq!(set(before, "eth0"), after, "{before:?}");
    }
}

#[test]
fn adds_a_missing_key_at_the_end() {
    let cases = [
        ("", "flannel-iface: eth0\n"),
        ("# only a comment\n", "# only a comment\nflannel-iface: eth0\n"),
        ("a: 1", "a: 1\nflannel-iface: eth0\n"),
        ("a:\n  - x\n", "a:\n  - x\nflannel-iface: eth0\n"),
        ("a: 1\r\n", "a: 1\r\nflannel-iface: eth0\r\n"),
        ("x:\n  flannel-iface: other\n", "x:\n  flannel-iface: other\nflannel-iface: eth0\n"),
        ("{}\n", "flannel-iface: eth0\n"),
    ];
    for (before, after) in cases {
        assert_eq!(set(before, "eth0"), after, "{before:?}");
    }
}

#[test]
fn quotes_what_would_be_read_as_something_else() {
    for text in ["yes", "1", "null", "a: b", "a #b", "", "- x", "0x10", "on", "~", "*a", "1e3", " x", "x "] {
        let edited = set("flannel-iface: old\n", text);
        let read: std::collections::BTreeMap<String, Yaml> = serde_yaml::from_str(&edited).unwrap();
        assert_eq!(read["flannel-iface"], Yaml::String(text.into()), "{edited:?}");
    }
    assert_eq!(set("flannel-iface: old\n", true), "flannel-iface: true\n");
    assert_eq!(set("flannel-iface: old\n", 7), "flannel-iface: 7\n");
}

#[test]
fn sets_nested_keys_and_lists() {
    let text = "a:\n  b:\n    c: 1 # keep\n  d: 2\ne: 3\n";
    let edited = set_yaml(text, &["a", "b", "c"], &Value::Int(5)).unwrap();
    assert_eq!(edited, text.replace("c: 1", "c: 5"));
    let edited = set_yaml(text, &["a", "b", "x"], &Value::Int(5)).unwrap();
    assert_eq!(edited, "a:\n  b:\n    c: 1 # keep\n    x: 5\n  d: 2\ne: 3\n");
    let edited = set_yaml("l:\n- a\n- b\nx: 1\n", &["l"], &Value::from(vec!["c", "d"])).unwrap();
    assert_eq!(edited, "l:\n- c\n- d\nx: 1\n");
}

#[test]
fn refuses_what_it_cannot_do_safely() {
    for text in [
        "flannel-iface: &a tailscale0\nb: *a\n",
        "flannel-iface: |\n  text\n",
        "a: 1\n---\nflannel-iface: x\n",
        "flannel-iface: a\nflannel-iface: b\n",
        "- a\n",
        "flannel-iface:\n  x: 1\n",
        "{flannel-iface: x, b: 1}\n",
        "flannel-iface: [\n",
    ] {
        assert!(set_yaml(text, &["flannel-iface"], &Value::from("eth0")).is_err(), "{text:?}");
    }
}

proptest! {
    #[test]
    fn everything_else_survives(
        entries in proptest::collection::btree_map("[a-e]{1,3}", "[a-z0-9]{1,6}", 0..5),
        comment in "[ a-z]{0,10}",
        value in "[ -~]{0,12}",
        at in 0usize..6,
    ) {
        let mut lines: Vec<String> = entries.iter().map(|(key, value)| format!("{key}: {value} # {comment}")).collect();
        lines.insert(at.min(lines.len()), "flannel-iface: old # here".into());
        let text = format!("# top {comment}\n{}\n", lines.join("\n"));
        let edited = set_yaml(&text, &["flannel-iface"], &Value::from(value.clone())).unwrap();
        let read: std::collections::BTreeMap<String, Yaml> = serde_yaml::from_str(&edited).unwrap();
        prop_assert_eq!(&read["flannel-iface"], &Yaml::String(value));
        let others = |text: &str| text.lines().filter(|line| !line.starts_with("flannel-iface")).map(str::to_owned).collect::<Vec<_>>();
        prop_assert_eq!(others(&edited), others(&text));
        prop_assert!(edited.contains("# here"));
    }
}
