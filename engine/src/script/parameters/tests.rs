use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn value(json: &str) -> Value {
    Value::from(serde_json::from_str::<serde_json::Value>(json).unwrap())
}

fn params(json: &str) -> Vec<ParameterSpec> {
    specs(&value(json)).unwrap()
}

fn pairs(given: &[(&str, &str)]) -> Vec<(String, String)> {
    given
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn with(
    specs: &[ParameterSpec],
    flags: &[(&str, &str)],
) -> Result<BTreeMap<String, Parameter>, Vec<ParameterError>> {
    check(
        specs,
        &Given {
            flags: pairs(flags),
            ..Given::default()
        },
    )
}

const ALL: &str = r#"{
    "n": {"default": 1, "min": 1, "max": 9, "help": "how many"},
    "b": {"default": false},
    "d": {"type": "duration", "default": "90s"},
    "c": {"choices": ["red", "green"], "default": "red"},
    "p": {"default": "eth0", "pattern": "eth[0-9]|lo"},
    "maybe": {"type": "int", "required": false},
    "must": {"type": "string", "help": "which"}
}"#;

#[test]
fn flags_are_read_as_the_type_wants() {
    let specs = params(ALL);
    let flags = [
        ("n", "5"),
        ("b", "yes"),
        ("d", "300s"),
        ("c", "green"),
        ("p", "lo"),
        ("maybe", "-3"),
        ("must", "x=y"),
    ];
    let good = with(&specs, &flags).unwrap();
    let expected = [
        ("n", Value::Int(5)),
        ("b", Value::Bool(true)),
        ("d", Value::from("5m")),
        ("c", Value::from("green")),
        ("p", Value::from("lo")),
        ("maybe", Value::Int(-3)),
        ("must", Value::from("x=y")),
    ];
    for (name, value) in expected {
        assert_eq!(good[name].value, value);
        assert_eq!(good[name].origin, format!("-e {name}"));
    }
}

#[test]
fn defaults_stand_where_nothing_is_given() {
    let good = with(&params(ALL), &[("must", "1")]).unwrap();
    assert_eq!(
        good["n"],
        Parameter {
            value: Value::Int(1),
            origin: "default".into()
        }
    );
    assert_eq!(good["d"].value, Value::from("1m30s"));
    assert_eq!(good["maybe"].value, Value::Null);
    assert_eq!(good["must"].value, Value::from("1"), "a text stays one");
    assert_eq!(good.len(), 7);
}

#[test]
fn everything_wrong_is_told_at_once() {
    let flags = [
        ("n", "10"),
        ("b", "maybe"),
        ("d", "soon"),
        ("c", "gren"),
        ("p", "xeth0"),
        ("maybe", "1.5"),
        ("mist", ""),
    ];
    let bad = with(&params(ALL), &flags).unwrap_err();
    let lines: Vec<String> = bad
        .iter()
        .map(|error| format!("{error} | {}", error.help.as_deref().unwrap_or("-")))
        .collect();
    let expected = [
        "the runbook has no parameter `mist` (-e mist) | did you mean `must`?",
        "parameter `b` (-e b) must be true or false, not \"maybe\" | -",
        "parameter `c` (-e c) must be one of red, green, not \"gren\"; did you mean \"green\"? | -",
        "parameter `d` (-e d) must be a duration, but \"soon\" is not a duration: \"soon\" stands where a number should; write it like \"250ms\", \"90s\", \"5m\" or \"1h30m\" | -",
        "parameter `maybe` (-e maybe) must be a whole number, not \"1.5\" | -",
        "parameter `must` must be given: which | give it with -e must=VALUE",
        "parameter `n` (-e n) must be from 1 to 9, not 10 | n: how many",
        "parameter `p` (-e p) must be a text that matches \"eth[0-9]|lo\", not \"xeth0\" | -",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let specs = params(
        r#"{"a": {"default": "0"}, "b": {"default": "0"}, "c": {"default": "0"}, "d": {"default": "0"}}"#,
    );
    let given = Given {
        flags: pairs(&[("a", "first"), ("a", "flag")]),
        environment: pairs(&[("a", "env"), ("b", "env"), ("of_another_runbook", "x")]),
        file: Some(("v.yaml".into(), "a: file\nb: file\nc: file\nd: ~\n".into())),
    };
    let good = check(&specs, &given).unwrap();
    let found: Vec<String> = good
        .values()
        .map(|given| format!("{} from {}", given.value, given.origin))
        .collect();
    assert_eq!(
        found,
        [
            "flag from -e a",
            "env from RUNBOOK_VAR_b",
            "file from v.yaml",
            "0 from default"
        ]
    );
}

#[test]
fn var_files_are_yaml_or_json_with_types() {
    let specs = params(ALL);
    let read = |text: &str| {
        check(
            &specs,
            &Given {
                file: Some(("v".into(), text.into())),
                ..Given::default()
            },
        )
    };
    for text in [
        "n: 5\nb: true\nd: 30\nmust: '7'\n",
        "{\n\t\"n\": 5,\n\t\"b\": true,\n\t\"d\": 30,\n\t\"must\": \"7\"\n}\n",
    ] {
        let good = read(text).unwrap();
        assert_eq!(
            (&good["n"].value, &good["b"].value),
            (&Value::Int(5), &Value::Bool(true))
        );
        assert_eq!(
            (&good["d"].value, &good["must"].value),
            (&Value::from("30s"), &Value::from("7"))
        );
    }
    for (text, part) in [
        (
            "must: 7\n",
            "must be a text (in quotes, where a file or header gives it), not 7",
        ),
        ("must: [a]\n", "must be a text, not [\"a\"]"),
        ("must: x\nn: [1]\n", "must be a whole number"),
        ("must: x\nd: -1\n", "a number of seconds"),
        (
            "must: x\nmust: y\n",
            "v cannot be read: line 2, column 1: the key `must` stands twice",
        ),
        ("- must\n", "v holds no map"),
        ("must: x\nmost: y\n", "no parameter `most` (v)"),
    ] {
        let errors = read(text).unwrap_err();
        assert!(
            errors.iter().any(|error| error.message.contains(part)),
            "{text:?}: {errors:?}"
        );
    }
    assert_eq!(read("").unwrap_err().len(), 1, "only `must` is missing");
}

#[test]
fn a_runbook_without_parameters_says_so() {
    let errors = with(&[], &[("x", "1")]).unwrap_err();
    assert_eq!(errors[0].help.as_deref(), Some("it has no parameters"));
    assert_eq!(with(&[], &[]), Ok(BTreeMap::new()));
}

#[test]
fn types_follow_from_defaults_and_choices() {
    let kinds: Vec<ParameterType> = params(
        r#"{"a": {}, "b": {"default": "x"}, "c": {"default": 1}, "d": {"default": true}, "e": {"choices": ["x"]}, "f": {"type": "duration"}}"#,
    )
    .into_iter()
    .map(|spec| spec.kind)
    .collect();
    let choice = ParameterType::Choice(vec!["x".into()]);
    use ParameterType::{Bool, Duration, Int, Text};
    assert_eq!(kinds, [Text, Text, Int, Bool, choice, Duration]);
}

#[test]
fn wrong_headers_are_refused() {
    for (text, part) in [
        ("[]", "`params` must be a map"),
        (r#"{"a": 1}"#, "parameter `a`: it must be a map"),
        (r#"{"a-b": {}}"#, "its name must be letters"),
        (r#"{"a": {"defualt": 1}}"#, "did you mean `default`"),
        (r#"{"a": {"type": "integer"}}"#, "did you mean \"int\""),
        (r#"{"a": {"type": "strng"}}"#, "did you mean \"string\""),
        (r#"{"a": {"type": 1}}"#, "`type` must be a text"),
        (
            r#"{"a": {"type": "int", "default": "x"}}"#,
            "its default must be a whole number",
        ),
        (
            r#"{"a": {"default": 1.5}}"#,
            "must be a text, a whole number, or true or false, not 1.5",
        ),
        (
            r#"{"a": {"default": 0, "min": 1}}"#,
            "its default must be at least 1, not 0",
        ),
        (
            r#"{"a": {"default": 3, "max": 2}}"#,
            "its default must be at most 2, not 3",
        ),
        (
            r#"{"a": {"type": "int", "min": 2, "max": 1}}"#,
            "`min` (2) is larger than `max` (1)",
        ),
        (r#"{"a": {"min": 1}}"#, "`min` and `max` are for numbers"),
        (
            r#"{"a": {"type": "int", "pattern": "x"}}"#,
            "`pattern` is for texts",
        ),
        (r#"{"a": {"pattern": "("}}"#, "not a regular expression"),
        (r#"{"a": {"pattern": "a)(b"}}"#, "not a regular expression"),
        (
            r#"{"a": {"choices": ["x"], "default": "y"}}"#,
            "its default must be one of x",
        ),
        (r#"{"a": {"choices": []}}"#, "a choice needs `choices`"),
        (
            r#"{"a": {"choices": ["x", "x"]}}"#,
            "array of different texts",
        ),
        (r#"{"a": {"choices": [1]}}"#, "array of different texts"),
        (r#"{"a": {"type": "choice"}}"#, "a choice needs `choices`"),
        (
            r#"{"a": {"type": "int", "choices": ["1"]}}"#,
            "`choices` are for the type \"choice\"",
        ),
        (
            r#"{"a": {"required": true, "default": "x"}}"#,
            "leave out `required` or `default`",
        ),
        (
            r#"{"a": {"required": "yes"}}"#,
            "`required` must be true or false",
        ),
        (
            r#"{"a": {"type": "duration", "default": "5"}}"#,
            "5 has no unit",
        ),
    ] {
        let error = specs(&value(text)).expect_err(text).to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn a_pattern_matches_the_whole_text() {
    let specs = params(r#"{"a": {"pattern": "x|xy", "required": false}}"#);
    assert!(with(&specs, &[("a", "xy")]).is_ok());
    for wrong in ["xyz", "zx", "x\n", ""] {
        assert!(with(&specs, &[("a", wrong)]).is_err(), "{wrong:?}");
    }
}

proptest! {
    #[test]
    fn never_panics(file in "[a-c]{0,2}(: |:|\n|- |\\{|\\}|\"|[0-9]|true|~){0,10}", flag in ".{0,8}") {
        let specs = params(r#"{"a": {"default": 1}, "b": {"type": "duration"}, "c": {"choices": ["x"]}}"#);
        let given = Given {
            flags: pairs(&[("b", &flag)]),
            file: Some(("v".into(), file)),
            environment: pairs(&[("c", &flag)]),
        };
        if let Err(errors) = check(&specs, &given) {
            prop_assert!(!errors.is_empty());
        }
    }

    #[test]
    fn what_was_accepted_is_accepted_again(text in "[0-9]{1,3}(s|m|h)|[0-9]{1,6}|true|no|on|x") {
        for kind in ["string", "int", "bool", "duration"] {
            let specs = params(&format!(r#"{{"a": {{"type": "{kind}"}}}}"#));
            if let Ok(first) = with(&specs, &[("a", &text)]) {
                let again = specs[0].accept(&first["a"].value);
                prop_assert_eq!(again.as_ref(), Ok(&first["a"].value));
            }
        }
    }
}
