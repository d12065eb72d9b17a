//! Definitions of labs that a team wrote: refused with a message, or read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use runbook::lab::definition::Definition;

fuzz_target!(|text: &str| {
    // As labs are read: YAML to data, data to a definition.
    if let Ok(data) = serde_yaml::from_str::<serde_json::Value>(text) {
        match serde_json::from_value::<Definition>(data) {
            Ok(definition) => {
                let _ = format!("{definition:?}");
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
});
