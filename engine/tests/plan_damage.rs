//! No plan file, however damaged or hostile, panics, is taken for another plan, or makes `show PLAN` and `run --plan`
//! do anything but what it says or a clear refusal.

#[path = "support/bench.rs"]
mod bench;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use bench::{Bench, said, tree};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use runbook::cli::args::ShowFormat;
use runbook::cli::plan_file::{PlanFile, sealed};
use runbook::report::Look;
use serde_json::{Value as Json, json};

const BOOK: &str = r#"
runbook #{ title: "Two values", params: #{ dir: #{ help: "where" }, limit: #{ default: "20", help: "the new limit" } } };
let here = host("web-1");
let dir = param("dir");
step "Set the limit" {
    here.file(`${dir}/app.conf`).set_line("limit", param("limit"));
    confirm("The application reads it again. Go on?");
    here.run(["touch", `${dir}/ran`], #{ creates: `${dir}/ran`, affects: [] });
    wait_until("it is there", #{ timeout: "5s", every: "100ms" }, || here.file(`${dir}/ran`).exists());
}
step "Decide by what only the run can know" {
    let mode = here.run(["cat", `${dir}/mode`]);
    if trimmed(mode.stdout) == "extra" { here.file(`${dir}/extra.conf`).write("x\n"); }
}
"#;

/// A directory that the book works on, and the plan of it.
struct Set {
    bench: Bench,
}

impl Set {
    fn new() -> Self {
        let bench = Bench::new();
        bench.write("book.rhai", BOOK);
        bench.write("hosts.yaml", "hosts:\n  web-1: {transport: local}\n");
        bench.write("dir/app.conf", "a=1\nlimit=10\n");
        bench.write("dir/mode", "plain\n");
        let dir = format!("dir={}", bench.path().join("dir").display());
        let words = ["run", "book.rhai", "-i", "hosts.yaml", "-e", &dir];
        bench.exits(0, &[&words[..], &["--dry-run", "--out", "p.plan"]].concat());
        Self { bench }
    }

    fn plan(&self) -> Vec<u8> {
        std::fs::read(self.bench.path().join("p.plan")).unwrap()
    }

    fn place(&self) -> PathBuf {
        self.bench.path().join("dir")
    }

    /// What both commands say of a file: exit status and words. Never a panic, a steered terminal or a long story.
    fn told(&self, bytes: &[u8]) -> [(i32, String); 2] {
        std::fs::write(self.bench.path().join("other.plan"), bytes).unwrap();
        let lines: [&[&str]; 2] = [
            &["show", "other.plan"],
            &["run", "--plan", "other.plan", "--yes"],
        ];
        lines.map(|line| {
            let output = self.bench.run(line);
            let said = said(&output);
            let exit = output
                .status
                .code()
                .unwrap_or_else(|| panic!("{line:?} was killed: {said}"));
            assert!(!said.contains("panicked"), "{line:?}: {said}");
            assert!(
                !said.contains('\x1b') && !said.contains('\u{7}'),
                "{line:?}: {said:?}"
            );
            (exit, said)
        })
    }
}

/// A plan as it is made, once for all tests that only read it.
fn good() -> &'static [u8] {
    static GOOD: OnceLock<Vec<u8>> = OnceLock::new();
    GOOD.get_or_init(|| Set::new().plan())
}

fn body(plan: &[u8]) -> &str {
    let text = std::str::from_utf8(plan).unwrap();
    text.split_once('\n').unwrap().1
}

/// One way to damage bytes; numbers are taken modulo what is there.
#[derive(Clone, Debug)]
enum Damage {
    Flip(usize),
    Cut(usize),
    Drop(usize, usize),
    Repeat(usize, usize),
    Put(usize, Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        any::<usize>().prop_map(Damage::Flip),
        any::<usize>().prop_map(Damage::Cut),
        (any::<usize>(), 1usize..200).prop_map(|(at, length)| Damage::Drop(at, length)),
        (any::<usize>(), 1usize..200).prop_map(|(at, length)| Damage::Repeat(at, length)),
        (
            any::<usize>(),
            proptest::collection::vec(any::<u8>(), 1..20)
        )
            .prop_map(|(at, bytes)| Damage::Put(at, bytes)),
    ]
}

impl Damage {
    fn on(&self, good: &[u8]) -> Vec<u8> {
        let mut bytes = good.to_vec();
        let range = |at: usize, length: usize| {
            let from = at % good.len();
            from..(from + length).min(good.len())
        };
        match self {
            Self::Flip(bit) => bytes[bit / 8 % good.len()] ^= 1 << (bit % 8),
            Self::Cut(at) => bytes.truncate(at % good.len()),
            Self::Drop(at, length) => drop(bytes.drain(range(*at, *length))),
            Self::Repeat(at, length) => {
                let piece = bytes[range(*at, *length)].to_vec();
                let at = at % good.len();
                bytes.splice(at..at, piece);
            }
            Self::Put(at, piece) => {
                let at = at % good.len();
                bytes.splice(at..at, piece.iter().copied());
            }
        }
        bytes
    }
}

/// What may stand where something else was: other types, huge, deep, steering, empty.
fn other_values() -> Vec<Json> {
    let nested = |depth: usize, around: fn(Json) -> Json| {
        (0..depth).fold(json!(1), |inner, _| around(inner))
    };
    vec![
        Json::Null,
        json!(true),
        json!(0),
        json!(-1),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1e308),
        json!(39.43),
        json!(""),
        json!("\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\0\r\t"),
        json!("x".repeat(100_000)),
        json!("a\n".repeat(5_000)),
        json!("../../../etc/shadow"),
        json!("-oProxyCommand=x"),
        json!("2026-11-26T06:57:10Z"),
        json!([]),
        json!({}),
        json!([{"step": {"title": "t", "nth": u32::MAX}}]),
        nested(100, |inner| json!([inner])),
        nested(140, |inner| json!([inner])),
        nested(140, |inner| json!({ "a": inner })),
    ]
}

/// Every place in a JSON text.
fn places(value: &Json, path: &str, found: &mut Vec<String>) {
    found.push(path.to_owned());
    match value {
        Json::Object(fields) => {
            for (name, field) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                places(field, &format!("{path}/{name}"), found);
            }
        }
        Json::Array(items) => {
            for (nth, item) in items.iter().enumerate() {
                places(item, &format!("{path}/{nth}"), found);
            }
        }
        _ => {}
    }
}

fn replaced(content: &Json, path: &str, other: &Json) -> Json {
    let mut content = content.clone();
    *content.pointer_mut(path).unwrap() = other.clone();
    content
}

/// What means nothing is left out: a field that is absent and one that is null are the same.
fn without_nulls(value: &Json) -> Json {
    match value {
        Json::Object(fields) => fields
            .iter()
            .filter(|(_, field)| !field.is_null())
            .map(|(name, field)| (name.clone(), without_nulls(field)))
            .collect(),
        Json::Array(items) => items.iter().map(without_nulls).collect(),
        // A whole number that the language has no room for is a floating-point one.
        Json::Number(number) if !number.is_i64() => number.as_f64().into(),
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(Config { cases: 4000, failure_persistence: None, ..Config::default() })]

    #[test]
    fn damaged_bytes_are_never_read(damages in proptest::collection::vec(damage(), 1..4)) {
        let bytes = damages.iter().fold(good().to_vec(), |bytes, damage| match bytes.is_empty() {
            true => bytes,
            false => damage.on(&bytes),
        });
        prop_assume!(bytes != good());
        let refused = PlanFile::parse(&bytes).expect_err("its hash no longer fits");
        prop_assert!(refused.what.len() < 300, "{:?}", refused);
    }
}

/// Whoever changes a plan can make its hash fit again: then it is another plan, read as what it is, or refused.
fn read_as_what_it_is(path: &str, hostile: &Json) {
    let file = match PlanFile::parse(sealed(&hostile.to_string()).as_bytes()) {
        Ok(file) => file,
        Err(refused) => {
            assert!(refused.what.chars().count() < 300, "{path}: {refused:?}");
            assert!(
                !refused.what.contains(char::is_control),
                "{path}: {refused:?}"
            );
            return;
        }
    };
    let read: Json = serde_json::from_str(body(file.text().as_bytes())).unwrap();
    let same = without_nulls(&read) == without_nulls(hostile);
    assert!(same, "{path} is read as {:?}", read.pointer(path));
    for format in [ShowFormat::Text, ShowFormat::Md, ShowFormat::Json] {
        let shown = file.shown(format, &Look::plain(80));
        let steers = |c: char| c.is_control() && c != '\n';
        assert!(!shown.contains(steers), "{path} steers the terminal");
    }
}

#[test]
fn hostile_content_is_read_as_what_it_is_or_refused() {
    let content: Json = serde_json::from_str(body(good())).unwrap();
    let mut all = Vec::new();
    places(&content, "", &mut all);
    let mut read = 0;
    for path in &all {
        for other in other_values() {
            read_as_what_it_is(path, &replaced(&content, path, &other));
            read += 1;
        }
    }
    assert!(read > 2000, "only {read} plans");
}

proptest! {
    #![proptest_config(Config { cases: 200, failure_persistence: None, ..Config::default() })]

    #[test]
    fn any_text_and_number_is_read_as_what_it_is(text in any::<String>(), thousandths in any::<i32>()) {
        let content: Json = serde_json::from_str(body(good())).unwrap();
        for path in ["/title", "/bound/plan/entries/3/why", "/parameters/limit/value"] {
            read_as_what_it_is(path, &replaced(&content, path, &json!(text)));
        }
        let path = "/parameters/limit/value";
        read_as_what_it_is(path, &replaced(&content, path, &json!(f64::from(thousandths) / 1000.0)));
    }
}

/// Cases of a strategy, the same each time, for a check that needs a place of its own.
fn some<S: Strategy>(cases: u32, strategy: &S, mut check: impl FnMut(S::Value)) {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 0,
        ..Config::default()
    };
    let check = RefCell::new(&mut check);
    let result = TestRunner::new_with_rng(config, rng).run(strategy, |value| {
        (check.borrow_mut())(value);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn the_program_refuses_damaged_files_and_touches_nothing() {
    let set = Set::new();
    let (plan, before) = (set.plan(), tree(&set.place()));
    some(40, &damage(), |damage| {
        let bytes = damage.on(&plan);
        if bytes == plan {
            return;
        }
        for (exit, said) in set.told(&bytes) {
            assert_eq!(exit, 64, "{damage:?}: {said}");
            assert!(
                said.contains("error: ") && said.contains("help: "),
                "{damage:?}: {said}"
            );
            assert!(said.len() < 2000, "{damage:?}: {said}");
        }
        assert_eq!(tree(&set.place()), before, "{damage:?}");
    });
    assert!(!set.bench.state().join("runs").exists(), "a run was begun");
}

/// What names an effect cannot be changed without the run being refused: it says what would be done, and is held to it.
fn names_an_effect(path: &str) -> bool {
    let last = Path::new(path).file_name().unwrap_or_default();
    path.starts_with("/bound/plan/entries/")
        && ["key", "target", "word", "summary"]
            .iter()
            .any(|name| last == *name)
}

#[test]
fn the_program_does_what_a_hostile_plan_says_or_refuses_it() {
    let content: Json = serde_json::from_str(body(good())).unwrap();
    let is_effect = |path: &str| {
        let entry = Path::new(path)
            .parent()
            .map(|entry| entry.display().to_string());
        let entry = content
            .pointer(&entry.unwrap_or_default())
            .unwrap_or(&Json::Null);
        ["file", "change", "command"]
            .iter()
            .any(|kind| entry["kind"] == *kind)
    };
    let mut all = Vec::new();
    places(&content, "", &mut all);
    let any_of = (0..all.len(), 0..other_values().len());
    some(60, &any_of, |(place, other)| {
        let set = Set::new();
        let plan: Json = serde_json::from_str(body(&set.plan())).unwrap();
        let path = all[place].clone();
        let hostile = replaced(&plan, &path, &other_values()[other]);
        let before = tree(&set.place());
        let [(shown, _), (done, said)] = set.told(sealed(&hostile.to_string()).as_bytes());
        assert!(
            shown == 0 || shown == 64 && done == 64,
            "{path}: {shown}, {done}: {said}"
        );
        match done {
            0 => assert!(
                !(names_an_effect(&path) && is_effect(&path)),
                "{path}: {said}"
            ),
            1 | 3 | 4 | 64 => {
                assert!(said.contains("error: "), "{path}: {said}");
                assert_eq!(tree(&set.place()), before, "{path}: {said}");
            }
            other => panic!("{path}: exit status {other}: {said}"),
        }
    });
}
