use std::collections::BTreeSet;

use super::{engine, names};

/// What a lab's text can say is written in docs/labs.md.
#[test]
fn every_word_is_described() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/labs.md");
    let page = std::fs::read_to_string(page).unwrap();
    let said = |word: &str| {
        let word = format!("[`.]{}\\b", regex::escape(word));
        regex::Regex::new(&word).unwrap().is_match(&page)
    };
    let missing: BTreeSet<String> = own().into_iter().filter(|word| !said(word)).collect();
    assert!(
        missing.is_empty(),
        "docs/labs.md says nothing of {missing:?}"
    );
}

/// The words that Rhai does not have by itself.
fn own() -> BTreeSet<String> {
    let rhai = names(&rhai::Engine::new());
    let words = names(&engine()).into_iter();
    let internal = |word: &str| matches!(word, "to_string" | "to_debug" | "sleep" | "timestamp");
    words
        .map(|word| {
            word.trim_start_matches("get ")
                .trim_start_matches("get$")
                .to_owned()
        })
        .filter(|word| !rhai.contains(word) && !internal(word))
        .collect()
}
