//! Scripts, as `check` reads them: never evaluated, always an answer. Bounded, because deep nesting costs a parser
//! its time and not its safety.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use runbook::script::{Names, SourceSet, check, on_script_thread};

fuzz_target!(|text: &str| {
    if text.len() > 4096 {
        return;
    }
    let name = "fuzz.rhai".to_owned();
    let sources = SourceSet::pinned(name.clone(), BTreeMap::from([(name, text.to_owned())]));
    let (header, findings) = on_script_thread(|| check(&sources, &Names::default())).expect("a thread starts and does not panic");
    assert!(header.is_some() || !findings.is_empty());
});
