//! Claims that are checked, and words for the reader.

use crate::model::Value;

/// A checked claim. One that involves a value unknown until the run is *to be checked*, never failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Assertion {
    /// `expect` or `ensure`.
    pub word: &'static str,
    /// What is claimed.
    pub claim: String,
    /// What was found.
    pub actual: Value,
    /// What was wanted.
    pub wanted: Value,
}

impl Assertion {
    /// The arguments as plain data.
    pub fn arguments(&self) -> Value {
        Value::from_entries([
            ("claim", Value::from(self.claim.clone())),
            ("actual", self.actual.clone()),
            ("wanted", self.wanted.clone()),
        ])
    }

    /// Whether the claim holds.
    pub fn holds(&self) -> bool {
        self.actual == self.wanted
    }
}

/// Words for the reader: a note or a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Telling {
    /// `note` or `table`.
    pub word: &'static str,
    /// The note, or the table's title.
    pub text: String,
    /// The rows of a table: a list of maps with the same keys.
    pub rows: Value,
}

impl Telling {
    /// The arguments as plain data.
    pub fn arguments(&self) -> Value {
        Value::from_entries([
            ("text", Value::from(self.text.clone())),
            ("rows", self.rows.clone()),
        ])
    }
}
