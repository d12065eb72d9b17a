//! Inventories: refused with a message, or read so that every host can be asked for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use runbook::inventory::Inventory;

fuzz_target!(|text: &str| match Inventory::parse("fuzz.yaml", text) {
    Ok(inventory) => {
        for host in inventory.hosts() {
            assert!(!host.as_str().starts_with('-'));
            let _ = inventory.variables(host);
        }
        for group in inventory.group_names() {
            assert!(inventory.group(&group).is_some());
        }
        let _ = (inventory.access(), inventory.limit("all:!*1*"));
    }
    Err(error) => assert!(!error.to_string().is_empty()),
});
