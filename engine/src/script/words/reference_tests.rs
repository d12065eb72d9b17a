//! The reference against what is registered.

use std::collections::{BTreeMap, BTreeSet};

use rhai::Engine;

use super::super::engine::{bare, for_checking};
use super::super::{Names, Severity, SourceSet, check};
use super::reference::{WORDS, Word};

/// Names with numbers of arguments, a receiver counted, and how many functions there are of each.
fn functions(engine: &Engine) -> BTreeMap<(String, usize), usize> {
    let all = engine.collect_fn_metadata(
        None,
        |function| {
            Some((
                function.metadata.name.to_string(),
                function.metadata.num_params,
            ))
        },
        true,
    );
    let mut counted = BTreeMap::new();
    for one in all {
        *counted.entry(one).or_default() += 1;
    }
    counted
}

/// What the words add to the bare language; properties as `get$name`.
fn registered() -> BTreeSet<(String, usize)> {
    let mut words = bare();
    super::register_signatures(&mut words);
    let plain = functions(&bare());
    functions(&words)
        .into_iter()
        .filter(|(one, count)| plain.get(one).is_none_or(|plain| count > plain))
        .map(|(one, _)| one)
        .filter(|(name, _)| {
            !matches!(
                name.as_str(),
                "to_string" | "to_debug" | "==" | "!=" | "<" | ">" | "<=" | ">="
            )
        })
        .collect()
}

/// The same of a call in the reference: `host.run(command)`, `now()`, `host.name`. Nothing for syntax.
fn of_call(call: &str) -> Option<(String, usize)> {
    let Some((before, arguments)) = call.split_once('(') else {
        let (_, property) = call.rsplit_once('.')?;
        return Some((format!("get${property}"), 1));
    };
    let given = arguments
        .trim_end_matches(')')
        .split(',')
        .filter(|word| !word.trim().is_empty())
        .count();
    match before.rsplit_once('.') {
        Some((_, name)) => Some((name.to_owned(), given + 1)),
        None => Some((before.to_owned(), given)),
    }
}

#[test]
fn every_word_is_in_the_reference_and_nothing_else() {
    let registered = registered();
    let told: BTreeSet<_> = WORDS
        .iter()
        .flat_map(|word| word.calls)
        .filter_map(|call| of_call(call))
        .collect();
    let missing: Vec<_> = registered.difference(&told).collect();
    assert!(
        missing.is_empty(),
        "add to script/words/reference.rs: {missing:?}"
    );
    let invented: Vec<_> = told.difference(&registered).collect();
    assert!(
        invented.is_empty(),
        "the reference has what is not registered: {invented:?}"
    );
}

#[test]
fn every_example_is_a_good_runbook() {
    for word in WORDS {
        let text = format!(
            "runbook #{{ title: \"T\", params: #{{ size: #{{ default: 1 }} }} }};\n{}\n",
            word.example
        );
        let set = SourceSet::pinned(
            "t.rhai".into(),
            BTreeMap::from([("t.rhai".to_owned(), text)]),
        );
        let (_, findings) = check(&set, &Names::default());
        let wrong: Vec<_> = findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .collect();
        assert!(wrong.is_empty(), "{:?}: {wrong:?}", word.calls);
        // The header stands above every example.
        let used = word.calls.iter().any(|call| {
            let name = call.split('(').next().unwrap();
            word.example.contains(name.rsplit('.').next().unwrap())
        });
        assert!(
            used || word.name() == "runbook",
            "{:?}: its example is of something else",
            word.calls
        );
    }
}

/// How a word with options is called with one that it cannot have, so that it tells which ones it knows.
fn with_stranger(word: &Word) -> String {
    let stranger = "#{ zzzzzzzzzzzz: 1 }";
    match word.name() {
        "each" => format!("each([1], {stranger}, |x| x)"),
        "probe" => format!("host(\"localhost\").probe(\"x\", {stranger})"),
        "run" => format!("host(\"localhost\").run(\"x\", {stranger})"),
        "write" => format!("host(\"localhost\").file(\"/x\").write(\"x\", {stranger})"),
        "list" => format!("kube.list(\"pods\", {stranger})"),
        "logs" => format!("kube.logs(\"x\", \"x\", {stranger})"),
        "delete" => format!("kube.delete(\"pods\", \"x\", \"x\", {stranger})"),
        "apply" => format!("kube.apply(#{{}}, {stranger})"),
        "run_pod" => format!("kube.run_pod(\"x\", \"x\", [\"x\"], {stranger})"),
        "evict" => format!("kube.evict(\"x\", \"x\", {stranger})"),
        "wait" => format!("kube.wait(\"pods\", \"x\", \"x\", \"Ready\", {stranger})"),
        "change" => {
            let needed = "what: \"x\", want: 1, observe: || 1, apply: |to| 1";
            format!("change(#{{ {needed}, zzzzzzzzzzzz: 1 }})")
        }
        "wait_until" => format!("wait_until(\"x\", {stranger}, || true)"),
        "choose" => format!("choose(\"x\", [1], {stranger})"),
        name => format!("{name}(\"x\", {stranger})"),
    }
}

#[test]
fn the_options_are_those_that_the_words_take() {
    let engine = for_checking();
    for word in WORDS.iter().filter(|word| !word.options.is_empty()) {
        let call = with_stranger(word);
        let error = engine.run(&call).expect_err(&call);
        let super::super::failure::Stop::Failure(failure) =
            super::super::failure::understand(&error)
        else {
            panic!("{call}: {error}");
        };
        let text = failure.to_string();
        let (_, known) = text
            .split_once("known: ")
            .unwrap_or_else(|| panic!("{call}: {text}"));
        let known: BTreeSet<&str> = known.split(", ").collect();
        let told: BTreeSet<&str> = word.options.iter().map(|(name, _)| *name).collect();
        assert_eq!(known, told, "{:?}", word.calls);
    }
}
