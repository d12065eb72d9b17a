//! What is wrong with an inventory, and where.

/// An error with its place in the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InventoryError {
    /// What is wrong.
    pub message: String,
    /// Line and column, from 1.
    pub place: Option<(u32, u32)>,
    /// How many characters to underline.
    pub length: usize,
    /// What to do.
    pub help: Option<String>,
}

impl InventoryError {
    /// An error about a word of the file: found by its text, so that the reader sees the line.
    pub fn about(text: &str, word: &str, message: impl Into<String>) -> Self {
        Self { message: message.into(), place: find(text, word), length: word.chars().count().max(1), help: None }
    }

    /// With what to do.
    #[must_use]
    pub fn help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }
}

/// The first place where a word stands as a whole, outside of comments.
fn find(text: &str, word: &str) -> Option<(u32, u32)> {
    let part = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    for (number, line) in text.lines().enumerate() {
        let code = line.split(" #").next().unwrap_or_default();
        if code.trim_start().starts_with('#') {
            continue;
        }
        for (start, _) in code.match_indices(word) {
            let before = code[..start].chars().next_back();
            let after = code[start + word.len()..].chars().next();
            if !before.is_some_and(part) && !after.is_some_and(part) {
                return Some((number as u32 + 1, code[..start].chars().count() as u32 + 1));
            }
        }
    }
    None
}
