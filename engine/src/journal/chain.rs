//! The rows of a journal and the hashes that tie each to the one before.
//!
//! SQLite alone drops the confirmed tail of a write-ahead log in which one bit has flipped, without a word.
//! A chain shows that something changed; together with the mirror it shows that something is missing.

use blake3::Hash;
use jiff::Timestamp;

use super::BlobId;

/// What the first row is chained to.
pub(super) const ORIGIN: Hash = Hash::from_bytes([0; 32]);

/// A record as it is stored: redacted, serialised, chained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub seq: u64,
    /// As text, so that what is hashed is exactly what is stored.
    pub at: String,
    pub body: String,
    pub hash: Hash,
}

impl Ord for Row {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |row: &Self| (row.seq, *row.hash.as_bytes());
        let fields = |row: &Self| (row.at.clone(), row.body.clone());
        key(self)
            .cmp(&key(other))
            .then_with(|| fields(self).cmp(&fields(other)))
    }
}

impl PartialOrd for Row {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Row {
    /// The row that follows the one with the hash `previous`.
    pub fn chained(previous: Hash, seq: u64, at: Timestamp, body: String) -> Self {
        let at = at.to_string();
        let hash = link(previous, seq, &at, &body);
        Self {
            seq,
            at,
            body,
            hash,
        }
    }

    /// Whether the row is what was written after the row with the hash `previous`.
    pub fn follows(&self, previous: Hash) -> bool {
        self.borrowed().follows(previous)
    }

    /// The row, seen where it lies.
    pub fn borrowed(&self) -> RowRef<'_> {
        RowRef {
            seq: self.seq,
            at: &self.at,
            body: &self.body,
            hash: self.hash,
        }
    }
}

/// A row seen where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowRef<'row> {
    pub seq: u64,
    pub at: &'row str,
    pub body: &'row str,
    pub hash: Hash,
}

impl RowRef<'_> {
    /// Whether the row is what was written after the row with the hash `previous`.
    pub fn follows(&self, previous: Hash) -> bool {
        self.hash == link(previous, self.seq, self.at, self.body)
    }

    /// A copy to keep.
    pub fn to_row(self) -> Row {
        Row {
            seq: self.seq,
            at: self.at.to_owned(),
            body: self.body.to_owned(),
            hash: self.hash,
        }
    }
}

/// The hash that 64 hexadecimal digits are.
pub(super) fn from_digits(digits: &[u8; 64]) -> Option<Hash> {
    /// What each byte stands for as a digit; none has bits above the lowest four.
    const VALUES: [u8; 256] = {
        let mut values = [0xff; 256];
        let mut value = 0;
        while value < 16 {
            values[b"0123456789abcdef"[value] as usize] = value as u8;
            value += 1;
        }
        values
    };
    let (mut bytes, mut seen) = ([0; 32], 0);
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let (high, low) = (VALUES[pair[0] as usize], VALUES[pair[1] as usize]);
        seen |= high | low;
        *byte = high << 4 | low;
    }
    (seen < 16).then_some(Hash::from_bytes(bytes))
}

fn link(previous: Hash, seq: u64, at: &str, body: &str) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(previous.as_bytes());
    hasher.update(&seq.to_le_bytes());
    // With its length, so that no byte can move between time and body.
    hasher.update(&(at.len() as u64).to_le_bytes());
    hasher.update(at.as_bytes());
    hasher.update(body.as_bytes());
    hasher.finalize()
}

/// What a blob holds, and so how it was redacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BlobForm {
    /// JSON: only its strings are redacted.
    Json,
    /// Any other text.
    Text,
    /// Not text: stored in base64, in which secrets are found too.
    Base64,
}

impl BlobForm {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
            Self::Base64 => "base64",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Json, Self::Text, Self::Base64]
            .into_iter()
            .find(|form| form.as_str() == text)
    }
}

/// A blob as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredBlob {
    pub id: BlobId,
    pub form: BlobForm,
    pub text: String,
}

impl StoredBlob {
    pub fn new(form: BlobForm, text: String) -> Self {
        let id = Self::id_of(&text);
        Self { id, form, text }
    }

    /// Whether the text is the one that the id names.
    pub fn is_intact(&self) -> bool {
        self.id == Self::id_of(&self.text)
    }

    /// The hash that its name is, if it is intact.
    pub fn hash(&self) -> Hash {
        Hash::from_hex(self.id.0.as_bytes()).unwrap_or(ORIGIN)
    }

    fn id_of(text: &str) -> BlobId {
        BlobId(blake3::hash(text.as_bytes()).to_hex().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_back_and_nothing_else_is() {
        let hash = blake3::hash(b"x");
        let digits: [u8; 64] = hash.to_hex().as_bytes().try_into().unwrap();
        assert_eq!(from_digits(&digits), Some(hash));
        assert_eq!(
            from_digits(&digits.map(|digit| digit.to_ascii_uppercase())),
            None
        );
        for place in 0..64 {
            let mut wrong = digits;
            wrong[place] = b'g';
            assert_eq!(from_digits(&wrong), None);
        }
    }
}
