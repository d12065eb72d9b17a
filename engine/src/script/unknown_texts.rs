//! Texts that were made from unknown values: in a dry run, what would be read out of such a text is unknown too,
//! and a function that would change it in place ends the plan there. The interpreter's own functions on texts know
//! nothing of the mark in them, so each stands behind a function that looks for it first.

use std::any::TypeId;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use rhai::{
    AST, Array, CallFnOptions, Dynamic, Engine, EvalAltResult, ImmutableString, Map,
    NativeCallContext, Position, Scope,
};

use super::failure;
use super::unknown::{in_text, inside};
use crate::operation::Failure;

/// A letter for each type of parameter: a text, a character, a number, the two kinds of ranges.
const TYPES: [(char, fn() -> TypeId); 5] = [
    ('t', TypeId::of::<ImmutableString>),
    ('c', TypeId::of::<char>),
    ('n', TypeId::of::<i64>),
    ('r', TypeId::of::<Range<i64>>),
    ('i', TypeId::of::<RangeInclusive<i64>>),
];

/// A function with the parameter lists that the interpreter has it for.
type Forms = (&'static str, &'static [&'static str]);

/// Functions that read.
const READING: &[Forms] = &[
    ("contains", &["tt", "tc"]),
    ("starts_with", &["tt", "tc"]),
    ("ends_with", &["tt", "tc"]),
    ("index_of", &["tt", "tc", "ttn", "tcn"]),
    ("sub_string", &["tn", "tnn", "tr", "ti"]),
    ("get", &["tn"]),
    ("len", &["t"]),
    ("is_empty", &["t"]),
    ("bytes", &["t"]),
    ("chars", &["t", "tn", "tnn", "tr", "ti"]),
    ("to_chars", &["t"]),
    ("to_blob", &["t"]),
    ("to_upper", &["t"]),
    ("to_lower", &["t"]),
    ("split", &["t", "tn", "tt", "tc", "ttn", "tcn"]),
    ("split_rev", &["tt", "tc", "ttn", "tcn"]),
    ("max", &["tt"]),
    ("min", &["tt"]),
    ("parse_int", &["t", "tn"]),
    ("parse_float", &["t"]),
    ("parse_json", &["t"]),
];

/// Functions that change the text in place.
const CHANGING: &[Forms] = &[
    ("crop", &["tn", "tnn", "tr", "ti"]),
    ("truncate", &["tn"]),
    ("remove", &["tt", "tc"]),
    ("replace", &["ttt", "ttc", "tct", "tcc"]),
    ("pad", &["tnc", "tnt"]),
    ("pop", &["t", "tn"]),
    ("set", &["tnc"]),
    ("make_upper", &["t"]),
    ("make_lower", &["t"]),
];

/// Puts the watch in front of the interpreter's functions. `bare` makes the interpreter without it.
pub fn watch(engine: &mut Engine, bare: impl Fn() -> Engine) {
    engine.set_fast_operators(false);
    comparisons(engine);
    let behind = Arc::new(Behind::new(bare()));
    for (list, changing) in [(READING, false), (CHANGING, true)] {
        for (name, forms) in list {
            for form in *forms {
                guard(engine, &behind, name, form, changing);
            }
        }
    }
    for name in ["len", "is_empty", "bytes", "chars"] {
        let behind = behind.clone();
        engine.register_get(name, move |text: &mut ImmutableString| {
            match in_text(text) {
                Some(unknown) => Ok(Dynamic::from(unknown)),
                None => behind.call(name, &mut [&mut Dynamic::from(text.clone())]),
            }
        });
    }
}

fn guard(
    engine: &mut Engine,
    behind: &Arc<Behind>,
    name: &'static str,
    form: &str,
    changing: bool,
) {
    let types: Vec<TypeId> = form
        .chars()
        .filter_map(|letter| TYPES.iter().find(|(other, _)| *other == letter))
        .map(|(_, id)| id())
        .collect();
    let behind = behind.clone();
    engine.register_raw_fn(
        name,
        types,
        move |context: NativeCallContext, arguments: &mut [&mut Dynamic]| match arguments
            .iter()
            .find_map(|argument| inside(argument))
        {
            None => behind.call(name, arguments),
            Some(unknown) if changing => Err(failure::raise(
                Failure::PlanEnds(unknown),
                context.call_position(),
            )),
            Some(unknown) => Ok(Dynamic::from(unknown)),
        },
    );
}

/// The interpreter without the watch.
struct Behind {
    engine: Engine,
    /// For each number of arguments and each name a function that calls the interpreter's own on `this`.
    calls: AST,
}

impl Behind {
    fn new(mut engine: Engine) -> Self {
        let mut names: Vec<&str> = READING
            .iter()
            .chain(CHANGING)
            .map(|(name, _)| *name)
            .collect();
        names.sort_unstable();
        let function = |name: &str, parameters: &[&str]| {
            let list = parameters.join(", ");
            format!(
                "fn call_{name}_{}({list}) {{ this.{name}({list}) }}\n",
                parameters.len()
            )
        };
        let text: String = names
            .iter()
            .flat_map(|name| (0..3).map(|count| function(name, &["a", "b", "c"][..count])))
            .collect();
        engine.set_max_functions(1_000);
        let calls = engine
            .compile(&text)
            .expect("made here from a fixed table, and compiled by a test");
        Self { engine, calls }
    }

    fn call(
        &self,
        name: &str,
        arguments: &mut [&mut Dynamic],
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let Some((this, rest)) = arguments.split_first_mut() else {
            return Ok(Dynamic::UNIT);
        };
        let rest: Vec<Dynamic> = rest.iter().map(|argument| (*argument).clone()).collect();
        let name = format!("call_{name}_{}", rest.len());
        let options = CallFnOptions::new().eval_ast(false).bind_this_ptr(this);
        self.engine
            .call_fn_with_options(options, &mut Scope::new(), &self.calls, name, rest)
            .map_err(|error| match *error {
                // The place is in the table above; the interpreter puts in that of the caller.
                EvalAltResult::ErrorInFunctionCall(_, _, mut inner, _) => {
                    inner.set_position(Position::NONE);
                    inner
                }
                _ => error,
            })
    }
}

fn comparisons(engine: &mut Engine) {
    type Text = ImmutableString;
    fn either(left: &str, right: &str, known: impl FnOnce() -> bool) -> Dynamic {
        match in_text(left).or_else(|| in_text(right)) {
            Some(unknown) => Dynamic::from(unknown),
            None => known().into(),
        }
    }
    engine.register_fn("==", |a: Text, b: Text| either(&a, &b, || a == b));
    engine.register_fn("!=", |a: Text, b: Text| either(&a, &b, || a != b));
    engine.register_fn("<", |a: Text, b: Text| either(&a, &b, || a < b));
    engine.register_fn("<=", |a: Text, b: Text| either(&a, &b, || a <= b));
    engine.register_fn(">", |a: Text, b: Text| either(&a, &b, || a > b));
    engine.register_fn(">=", |a: Text, b: Text| either(&a, &b, || a >= b));
    for operator in ["==", "!="] {
        let equal = operator == "==";
        engine.register_fn(
            operator,
            move |context: rhai::NativeCallContext, a: Array, b: Array| {
                collections(&context, a.into(), b.into(), equal)
            },
        );
        engine.register_fn(
            operator,
            move |context: rhai::NativeCallContext, a: Map, b: Map| {
                collections(&context, a.into(), b.into(), equal)
            },
        );
    }
}

/// Compares collections by their plain data, unless something in them is unknown.
fn collections(
    context: &rhai::NativeCallContext,
    left: Dynamic,
    right: Dynamic,
    equal: bool,
) -> Result<Dynamic, Box<EvalAltResult>> {
    if let Some(unknown) = inside(&left).or_else(|| inside(&right)) {
        return Ok(Dynamic::from(unknown));
    }
    let plain = |value: &Dynamic| {
        super::convert::to_value(value)
            .map_err(|why| failure::raise(Failure::Misuse(why), context.call_position()))
    };
    Ok(((plain(&left)? == plain(&right)?) == equal).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Unknown;
    use crate::script::engine::bare;
    use crate::script::failure::Stop;
    use crate::script::unknown;

    fn evaluated(script: &str) -> Result<Dynamic, Box<EvalAltResult>> {
        let mut engine = bare();
        unknown::register(&mut engine, true);
        let mut scope = Scope::new();
        scope.push("u", Unknown::because("a test"));
        engine.eval_with_scope(&mut scope, script)
    }

    #[test]
    fn what_is_read_from_a_marked_text_is_unknown() {
        for expression in [
            "`x${u}`.len()",
            "`x${u}`.len",
            "`${u}`.is_empty",
            "`${u}`.index_of(\"a\")",
            "`${u}`.index_of('a', 1)",
            "`${u}`.sub_string(0, 2)",
            "`${u}`.sub_string(1)",
            "`${u}`.sub_string(0..2)",
            "`${u}`.to_upper()",
            "`${u}`.split()",
            "`${u}`.split(\",\")",
            "`${u}`.split(2)",
            "`${u}`.contains('a')",
            "`${u}` == \"a\"",
            "\"a\" in `${u}`",
            "parse_int(`${u}`)",
            "parse_float(`${u}`)",
            "`${u}`.chars()",
            "max(`${u}`, \"a\")",
            "trimmed(u)",
            "max(1, u)",
            "[`${u}`] == [\"a\"]",
            "#{a: `${u}`} != #{a: 1}",
        ] {
            let value =
                evaluated(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
            assert!(value.is::<Unknown>(), "{expression} gives {value}");
        }
    }

    #[test]
    fn what_would_change_a_marked_text_ends_the_plan() {
        for change in [
            "crop(1)",
            "crop(0..1)",
            "truncate(1)",
            "remove('a')",
            "replace(\"a\", \"b\")",
            "pad(100, ' ')",
            "pop()",
            "set(0, 'x')",
            "make_upper()",
        ] {
            let error = evaluated(&format!("let t = `x${{u}}`; t.{change}; t")).unwrap_err();
            assert!(
                matches!(
                    failure::understand(&error),
                    Stop::Failure(Failure::PlanEnds(_))
                ),
                "{change}: {error}"
            );
        }
    }

    #[test]
    fn other_texts_are_as_without_the_watch() {
        for (expression, wanted) in [
            ("\"häuser\".len()", "6"),
            ("\"häuser\".len", "6"),
            ("\"häuser\".bytes", "7"),
            ("\"abc\".index_of(\"c\")", "2"),
            ("\"abc\".index_of('z')", "-1"),
            ("\"abc\".sub_string(1)", "bc"),
            ("\"abc\".sub_string(0..=1)", "ab"),
            ("\"a b\".split()", "[\"a\", \"b\"]"),
            ("\"a,b,c\".split(\",\", 2)", "[\"a\", \"b,c\"]"),
            ("\"abc\".to_upper()", "ABC"),
            ("let t = \"abc\"; t.crop(1, 1); t", "b"),
            ("let t = \"abc\"; t.replace(\"b\", \"x\"); t", "axc"),
            ("let t = \"abc\"; t.pad(5, '.'); t", "abc.."),
            ("let t = \"abc\"; t.truncate(1); t", "a"),
            ("let t = \"abc\"; t.make_upper(); t", "ABC"),
            ("let t = \" a \"; t.trim(); t", "a"),
            ("parse_int(\"2a\", 16)", "42"),
            ("\"b\" in \"abc\"", "true"),
            ("\"a\" == \"a\"", "true"),
            ("let m = #{t: \"abc\"}; m.t.crop(1); m.t", "bc"),
        ] {
            let value =
                evaluated(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
            assert_eq!(value.to_string(), wanted, "{expression}");
        }
        let error = evaluated("parse_int(\"x\")").unwrap_err();
        assert!(error.to_string().contains('x'), "{error}");
    }
}
