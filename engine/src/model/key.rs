//! Names of runs and operations. A key says where in the script an operation stands; it holds no global
//! counter, so that parallel branches need no order between them (M2).

use std::fmt;

use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// The name of one run: sortable by time, unique.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunId(String);

impl RunId {
    /// A new name: the time in UTC, the rest of the second, and random bits. Names sort by the time of their
    /// start, to a millisecond: "the newest run" must not be drawn by lot among the runs of one second.
    pub fn generate() -> Self {
        Self::at(jiff::Timestamp::now(), uuid::Uuid::new_v4().as_u128())
    }

    fn at(time: jiff::Timestamp, random: u128) -> Self {
        let nanoseconds = u128::from(time.subsec_nanosecond().unsigned_abs());
        let part = nanoseconds * 36u128.pow(SUBSECOND_DIGITS) / 1_000_000_000;
        Self(format!(
            "{}-{}{}",
            time.strftime("%Y%m%d-%H%M%S"),
            base36(part, SUBSECOND_DIGITS),
            base36(random, RANDOM_DIGITS),
        ))
    }

    /// Takes a name as the user or a directory gives it; refuses what could not be one.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = !text.is_empty()
            && text.len() <= 64
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        plain.then(|| Self(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Digits in a name that tell the moment within its second: 36² parts of 0.77 ms.
const SUBSECOND_DIGITS: u32 = 2;
/// Digits in a name that only tell it from others: 36⁴, about 1.7 million.
const RANDOM_DIGITS: u32 = 4;

/// The last `digits` digits of a number to the base 36; they sort as the numbers do.
fn base36(number: u128, digits: u32) -> String {
    (0..digits)
        .rev()
        .map(|digit| {
            let value = number / 36u128.pow(digit) % 36;
            char::from(b"0123456789abcdefghijklmnopqrstuvwxyz"[value as usize])
        })
        .collect()
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One level of the place where an operation stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Segment {
    /// Inside a step; `nth` counts steps of the same title in the same scope, from 1.
    Step {
        /// The step's title.
        title: String,
        /// Which of the steps with this title in this scope, from 1.
        nth: u32,
    },
    /// Inside the `nth` call of `each` in this scope, in the branch with this label.
    Branch {
        /// Which `each` in this scope, from 1.
        nth: u32,
        /// The item's name where it has a unique one, else its index.
        label: String,
    },
    /// Inside the undo of an operation.
    Undo {
        /// The operation that is undone.
        of: String,
    },
}

/// Where in the script's execution something happens: steps and branches, outermost first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ScopePath(pub Vec<Segment>);

impl ScopePath {
    /// This path with one more level.
    pub fn join(&self, segment: Segment) -> Self {
        let mut path = self.0.clone();
        path.push(segment);
        Self(path)
    }

    /// The titles of the steps, outermost first.
    pub fn steps(&self) -> Vec<&str> {
        self.0
            .iter()
            .filter_map(|segment| match segment {
                Segment::Step { title, .. } => Some(title.as_str()),
                _ => None,
            })
            .collect()
    }

    /// The labels of the branches, outermost first.
    pub fn branches(&self) -> Vec<&str> {
        self.0
            .iter()
            .filter_map(|segment| match segment {
                Segment::Branch { label, .. } => Some(label.as_str()),
                _ => None,
            })
            .collect()
    }

    /// Whether `other` is this path or below it.
    pub fn contains(&self, other: &ScopePath) -> bool {
        other.0.starts_with(&self.0)
    }

    /// The key of the `nth` operation (from 1) in this scope.
    pub fn operation(&self, nth: u32) -> OperationKey {
        OperationKey::within(&self.to_string(), nth)
    }
}

impl fmt::Display for ScopePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.0 {
            match segment {
                Segment::Step { title, nth } => write!(f, "/{}{}", escaped(title), repeat(*nth))?,
                Segment::Branch { nth, label } => {
                    write!(f, "/each{}[{}]", repeat(*nth), escaped(label))?
                }
                Segment::Undo { of } => write!(f, "/undo({})", escaped(of))?,
            }
        }
        Ok(())
    }
}

fn repeat(nth: u32) -> String {
    if nth == 1 {
        String::new()
    } else {
        format!("~{nth}")
    }
}

/// Titles are free text; what has a meaning in a key is percent-encoded so that two paths never share a text.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '/' | '#' | '~' | '[' | ']' | '%' => {
                out.push_str(&format!("%{:02X}", character as u32))
            }
            _ => out.push(character),
        }
    }
    out
}

/// The name of an operation within its run: branch path / step path / occurrence in that scope.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OperationKey(pub String);

impl OperationKey {
    /// The key of the `nth` operation (from 1) in the scope whose path has this text.
    pub fn within(scope: &str, nth: u32) -> Self {
        Self(format!("{scope}#{nth}"))
    }
}

impl fmt::Display for OperationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of an operation everywhere: on targets, in `resolve`. Exists before the operation starts.
/// Kept where it is used: a run holds one for each of its operations.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId([u8; 16]);

impl OperationId {
    /// The name of the operation `key` of `run`. `edition` counts the accepted edits of the script during
    /// the run, so that a key that an edit gave to another operation never reaches the old one's markers.
    pub fn derive(run: &RunId, edition: u32, key: &OperationKey) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(run.as_str().as_bytes());
        hasher.update(&edition.to_le_bytes());
        hasher.update(key.0.as_bytes());
        let digits = hasher.finalize().to_hex();
        Self::parse(&digits[..16]).expect("these are 16 hexadecimal digits")
    }

    /// Takes a name as a user or a file gives it; refuses what could not be one.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: [u8; 16] = text.as_bytes().try_into().ok()?;
        let plain = digits
            .iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        plain.then_some(Self(digits))
    }

    /// The name as text: 16 hexadecimal digits, safe in file names and shell words.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hexadecimal digits are text")
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OperationId").field(&self.as_str()).finish()
    }
}

impl Serialize for OperationId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for OperationId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;
        impl Visitor<'_> for Digits {
            type Value = OperationId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("16 hexadecimal digits")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<OperationId, E> {
                OperationId::parse(text)
                    .ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_runs_sort_by_time_within_a_second() {
        let name = |milliseconds: i64, random: u128| {
            RunId::at(
                jiff::Timestamp::from_millisecond(1_770_000_000_000 + milliseconds).unwrap(),
                random,
            )
        };
        // The random part must not decide, whatever it is.
        let names: Vec<RunId> = (0..2_000)
            .map(|time| name(time, u128::from(u64::MAX - time as u64)))
            .collect();
        assert!(names.is_sorted());
        assert_ne!(name(1, 1), name(1, 2));
        assert_eq!(RunId::parse(name(7, 3).as_str()), Some(name(7, 3)));
    }

    #[test]
    fn titles_with_separators_do_not_collide() {
        let step = |title: &str| Segment::Step {
            title: title.into(),
            nth: 1,
        };
        let nested = ScopePath::default().join(step("a")).join(step("b"));
        let flat = ScopePath::default().join(step("a/b"));
        assert_ne!(nested.operation(1), flat.operation(1));
        assert_eq!(nested.operation(2).to_string(), "/a/b#2");
    }
}
