use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::*;

fn knowing(values: &[(&str, &str)]) -> Secrets {
    let secrets = Secrets::new();
    for (name, value) in values {
        secrets.add(name, value).unwrap();
    }
    secrets
}

#[test]
fn names_the_secret_and_its_encoding() {
    let secrets = knowing(&[("TOKEN", "s3cr/t'x")]);
    let encoded = STANDARD.encode("s3cr/t'x");
    for (text, wanted) in [
        ("a s3cr/t'x b".to_owned(), "a ‹secret TOKEN› b"),
        (format!("a {encoded} b"), "a ‹secret TOKEN:base64-padded› b"),
        ("'s3cr/t'\\''x'".into(), "'‹secret TOKEN:shell›'"),
        ("p=s3cr%2Ft%27x".into(), "p=‹secret TOKEN:percent›"),
        ("733363722f742778".into(), "‹secret TOKEN:hex›"),
    ] {
        assert_eq!(secrets.redact(&text), wanted);
        assert_eq!(secrets.reveal(wanted), text);
    }
}

#[test]
fn hides_overlapping_secrets_whole() {
    let secrets = knowing(&[("A", "abcdef"), ("B", "defghi")]);
    let hidden = secrets.redact("<abcdefghi>");
    assert_eq!(hidden, "<‹secret A›‹secret B@3›>");
    assert_eq!(secrets.reveal(&hidden), "<abcdefghi>");
}

#[test]
fn the_longest_wins() {
    let secrets = knowing(&[("SHORT", "pass"), ("LONG", "password")]);
    assert_eq!(secrets.redact("password"), "‹secret LONG›");
}

#[test]
fn hides_each_line_of_a_secret_with_several() {
    let secrets = knowing(&[("KEY", "begin\nline two\r\nx\nend!")]);
    assert_eq!(
        secrets.redact("> line two\n> end!\n> x"),
        "> ‹secret KEY:line2›\n> ‹secret KEY:line4›\n> x"
    );
}

#[test]
fn refuses_what_it_cannot_hide() {
    let secrets = Secrets::new();
    assert!(matches!(
        secrets.add("PIN", "123"),
        Err(SecretError::TooShort { .. })
    ));
    assert!(matches!(
        secrets.add("a›b", "12345"),
        Err(SecretError::Name(_))
    ));
    secrets.add("PIN", "12345").unwrap();
    secrets.add("PIN", "12345").unwrap();
    let changed = secrets.add("PIN", "54321").unwrap_err();
    assert!(!changed.to_string().contains("4321"), "{changed}");
    assert_eq!(secrets.names(), ["PIN"]);
    assert!(!format!("{secrets:?}").contains("12345"));
}

#[test]
fn json_stays_json_and_its_structure_is_not_touched() {
    let secrets = knowing(&[("ODD", r#"","x"#), ("NL", "nabc"), ("Q", "a\"b\\c\nd")]);
    let value = serde_json::json!({"k": ["x", "\nabc", "say a\"b\\c\nd", "\\nabc"], "x": 1});
    let text = value.to_string();
    let hidden = secrets.redact_json(&text);
    let seen: serde_json::Value = serde_json::from_str(&hidden).unwrap();
    assert_eq!(
        seen["k"],
        serde_json::json!(["x", "\nabc", "say ‹secret Q›", "\\‹secret NL›"])
    );
    assert_eq!(secrets.reveal_json(&hidden), text);
}

#[test]
fn a_text_that_looks_like_a_mark_is_not_one() {
    let secrets = Secrets::new();
    let before = secrets.redact("‹secret TOKEN›");
    secrets.add("TOKEN", "hunter22").unwrap();
    assert_eq!(secrets.reveal(&before), "‹secret TOKEN›");
    assert_eq!(secrets.reveal("‹secret OTHER›"), "‹secret OTHER›");
}

/// Texts in which marks, parts of marks, secrets and parts of secrets meet.
fn soup() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("‹secret"),
        Just("‹secret A›"),
        Just("‹secret A:base64›"),
        Just("‹secret=›"),
        Just("‹"),
        Just("›"),
        Just(" A"),
        Just("@1"),
        Just("aba"),
        Just("bab"),
        Just("ab\"\\"),
        Just("\\u00"),
        Just("\""),
        Just("\\"),
        Just("é\n"),
        Just("YWJh"),
        Just("616261"),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn revealing_is_exact(values in prop::collection::vec("[ab\"\\\\'é\n<%‹]{4,9}", 0..4), text in soup()) {
        let secrets = Secrets::new();
        for (number, value) in values.iter().enumerate() {
            secrets.add(["A", "B", "C", "D"][number], value).unwrap();
        }
        let planted = format!("{text}{}{text}", values.concat());
        for text in [&text, &planted] {
            prop_assert_eq!(&secrets.reveal(&secrets.redact(text)), text);
            prop_assert_eq!(&secrets.reveal_json(&secrets.redact_json(text)), text);
            let json = serde_json::json!({ "key": text, "list": [text] }).to_string();
            let hidden = secrets.redact_json(&json);
            prop_assert!(serde_json::from_str::<serde_json::Value>(&hidden).is_ok(), "{}", hidden);
            prop_assert_eq!(secrets.reveal_json(&hidden), json);
        }
    }

    #[test]
    fn nothing_of_a_secret_is_left(value in "[A-Z!/+?&]{6,20}", before in "[a-z]{0,5}", after in "[a-z]{0,5}") {
        let secrets = knowing(&[("n", &value)]);
        let whole = format!("{before}{value}{after}");
        for text in [whole.clone(), serde_json::to_string(&whole).unwrap()] {
            let (plain, json) = (secrets.redact(&text), secrets.redact_json(&text));
            prop_assert!(!plain.contains(&value), "{}", plain);
            if text.starts_with('"') {
                prop_assert!(!json.contains(&value), "{}", json);
            }
        }
        for encoded in [STANDARD.encode(&whole), URL_SAFE_NO_PAD.encode(&whole)] {
            let hidden = secrets.redact(&encoded);
            prop_assert!(hidden.contains("‹secret n:base64"), "{} in {}", hidden, encoded);
            prop_assert_eq!(secrets.reveal(&hidden), encoded);
        }
    }
}
