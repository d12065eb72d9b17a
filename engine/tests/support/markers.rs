//! What the gate leaves on a target: a record and two files of output for each attempt.

use std::path::PathBuf;

use runbook::transport::Launch;

use super::shells::Place;

/// A file of an attempt by its ending: `gate`, `stdout`, `stderr`.
pub fn file(place: &Place, launch: &Launch, ending: &str) -> PathBuf {
    place.file(&format!(
        "markers/ops/{}.{}.{ending}",
        launch.marker, launch.attempt
    ))
}

/// The record of an attempt.
pub fn record(place: &Place, launch: &Launch) -> String {
    std::fs::read_to_string(file(place, launch, "gate")).unwrap_or_default()
}

/// What the record says last of this; nothing if it does not.
pub fn field(place: &Place, launch: &Launch, key: &str) -> String {
    let record = record(place, launch);
    let last = record
        .lines()
        .rfind(|line| line.split(' ').next() == Some(key));
    last.and_then(|line| line.split_once(' '))
        .map_or_else(String::new, |(_, value)| value.to_owned())
}
