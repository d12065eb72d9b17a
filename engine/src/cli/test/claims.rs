//! What a test claims: `expect`, `ensure`, `expect_contains`, and how a wrong claim is told.

use rhai::{Dynamic, Engine, EvalAltResult, Position};

use crate::lab::words::{Said, to_json};
use crate::text::diff;

/// A claim that does not hold.
#[derive(Clone, Debug)]
pub struct Claim {
    /// In one sentence.
    pub message: String,
    /// What differs.
    pub detail: Option<String>,
}

impl Claim {
    /// As the error that ends a test.
    pub fn broken(message: impl Into<String>, detail: Option<String>) -> Box<EvalAltResult> {
        let claim = Self {
            message: message.into(),
            detail,
        };
        EvalAltResult::ErrorRuntime(Dynamic::from(claim), Position::NONE).into()
    }
}

impl std::fmt::Display for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

/// Makes the words known.
pub fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Claim>("claim");
    engine.register_fn("to_string", |claim: &mut Claim| claim.to_string());
    engine.register_fn("ensure", |holds: bool, what: &str| -> Said<()> {
        match holds {
            true => Ok(()),
            false => Err(Claim::broken(format!("not so: {what}"), None)),
        }
    });
    engine.register_fn("expect", |what: &str, actual: Dynamic, wanted: Dynamic| {
        expect(what, &actual, &wanted)
    });
    engine.register_fn("expect_contains", |what: &str, text: &str, part: &str| {
        contains(what, text, part, true)
    });
    engine.register_fn("expect_lacks", |what: &str, text: &str, part: &str| {
        contains(what, text, part, false)
    });
}

fn contains(what: &str, text: &str, part: &str, wanted: bool) -> Said<()> {
    if text.contains(part) == wanted {
        return Ok(());
    }
    let word = if wanted { "lacks" } else { "contains" };
    Err(Claim::broken(
        format!("{what} {word} {part:?}"),
        Some(format!("it is:\n{}", text.trim_end())),
    ))
}

fn expect(what: &str, actual: &Dynamic, wanted: &Dynamic) -> Said<()> {
    let (actual, wanted) = (to_json(actual)?, to_json(wanted)?);
    if actual == wanted {
        return Ok(());
    }
    let message = format!(
        "{what}: expected {}, got {}",
        short(&wanted),
        short(&actual)
    );
    let detail = match (&wanted, &actual) {
        (serde_json::Value::String(wanted), serde_json::Value::String(actual))
            if wanted.contains('\n') || actual.contains('\n') =>
        {
            let text = diff::unified("value", Some(wanted.as_bytes()), Some(actual.as_bytes()));
            let hunks = text.lines().skip(2).collect::<Vec<_>>().join("\n");
            Some(format!("- expected, + actual\n{hunks}"))
        }
        (wanted, actual) if wanted.is_object() || wanted.is_array() => {
            let fields = diff::fields(wanted, actual);
            (!fields.is_empty()).then(|| format!("expected → actual\n{fields}"))
        }
        _ => None,
    };
    Err(Claim::broken(message, detail))
}

/// A value in a sentence: long ones are cut.
fn short(value: &serde_json::Value) -> String {
    const SHOWN: usize = 90;
    let text = match value {
        serde_json::Value::Null => "()".to_owned(),
        other => other.to_string(),
    };
    if text.chars().count() <= SHOWN {
        return text;
    }
    text.chars().take(SHOWN).chain("…".chars()).collect()
}
