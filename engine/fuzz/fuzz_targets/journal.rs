//! Rows of a journal that somebody has written by hand: read, replayed into a history, asked. One line, one record.
#![no_main]

use libfuzzer_sys::fuzz_target;
use runbook::journal::{History, Record, Stored};

fuzz_target!(|text: &str| {
    let mut stored = Vec::new();
    for line in text.lines().take(64) {
        let Ok(record) = serde_json::from_str::<Record>(line) else {
            continue;
        };
        // What was read is written and read again without a loss.
        let written = serde_json::to_string(&record).expect("a record has a JSON form");
        let again: Record = serde_json::from_str(&written).expect("its own JSON is read");
        assert_eq!(
            serde_json::to_string(&again).expect("a record has a JSON form"),
            written
        );
        stored.push(Stored {
            seq: stored.len() as u64 + 1,
            at: Default::default(),
            record,
        });
    }
    if let Ok(history) = History::from_records(&stored) {
        let _ = (history.epoch(), history.edition(), history.ending());
        for entry in history.entries() {
            assert!(history.by_id(&entry.intent.id).is_some());
            let _ = entry.next_attempt();
        }
    }
});
