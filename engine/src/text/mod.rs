//! Pure functions of text: diffs, edits, suggestions, durations.

pub mod closures;
pub mod diff;
pub mod duration;
pub mod line;
pub mod mistake;
pub mod suggest;
pub mod yaml;
