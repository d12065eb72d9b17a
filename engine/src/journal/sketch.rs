//! A record read only as far as it must be to check a journal and to know where everything stands. Arguments, values and
//! texts are most of a journal, and opening it needs none of them: they are passed over where they lie. What is not
//! passed over has the same form as in [`Record`], so that one that cannot be read is refused when the journal is opened.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

use super::kept::{Beginning, Place, Standing};
use super::{BlobId, ChangeIntent, JournalError, RecordedFailure, Stored};
use crate::model::{OperationId, Target};
use crate::operation::Class;

/// A record, as far as a history of traces needs it.
pub(super) enum Sketch<'row> {
    /// An attempt begins; with what became of it, where it is an observation.
    Begun(Place, Box<Begun<'row>>, Option<Standing>),
    /// An attempt ended.
    Ended(Place, OperationId, u32, Standing),
    /// Any other: there are few of these.
    Whole(Stored),
}

impl Sketch<'_> {
    /// The record, if all of it was read.
    pub fn whole(&self) -> std::result::Result<&Stored, JournalError> {
        match self {
            Self::Whole(stored) => Ok(stored),
            Self::Begun(place, ..) | Self::Ended(place, ..) => {
                Err(place.illegal("the first record must be the start of the run"))
            }
        }
    }
}

/// An [`Intent`](super::Intent).
#[derive(Deserialize)]
#[allow(dead_code)] // What nobody asks for is there to be found missing.
pub(super) struct Begun<'row> {
    #[serde(borrow)]
    key: Cow<'row, str>,
    id: OperationId,
    #[serde(borrow)]
    scope: Passed<Segment<'row>>,
    attempt: u32,
    class: Class,
    #[serde(borrow)]
    kind: Cow<'row, str>,
    target: Target,
    #[serde(borrow)]
    summary: Cow<'row, str>,
    #[serde(borrow)]
    fingerprint: Cow<'row, str>,
    arguments: IgnoredAny,
    #[serde(borrow)]
    source: Option<Position<'row>>,
    #[serde(default)]
    change: Option<ChangeIntent>,
    #[serde(default)]
    undo: Option<IgnoredAny>,
    #[serde(default)]
    deadline: Option<Timestamp>,
    #[serde(default)]
    undoes: Option<OperationId>,
}

impl Begun<'_> {
    pub fn beginning(&self, ended: Option<Standing>) -> Beginning<'_> {
        Beginning {
            key: &self.key,
            id: &self.id,
            attempt: self.attempt,
            class: self.class,
            kind: &self.kind,
            target: &self.target,
            fingerprint: &self.fingerprint,
            undoes: self.undoes.as_ref(),
            ended,
        }
    }

    /// The blobs that it needs.
    pub fn references(&self) -> impl Iterator<Item = &BlobId> {
        let changes = self.change.iter();
        changes.flat_map(|change| [&change.before, &change.after])
    }
}

/// An [`Outcome`](super::Outcome).
#[derive(Deserialize)]
#[allow(dead_code)] // as above
struct Ended {
    id: OperationId,
    attempt: u32,
    result: Result,
    #[serde(default)]
    recovered: Option<String>,
}

/// An [`OutcomeResult`](super::OutcomeResult).
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code)] // as above
enum Result {
    Value { value: IgnoredAny, changed: bool },
    Failed(Box<RecordedFailure>),
}

impl Result {
    fn standing(&self) -> Standing {
        match self {
            Self::Value { .. } => Standing::Succeeded,
            Self::Failed(_) => Standing::Failed,
        }
    }
}

/// Observed: an intent with its result.
#[derive(Deserialize)]
struct Observed<'row> {
    #[serde(borrow)]
    intent: Box<Begun<'row>>,
    result: Result,
}

/// A [`SourcePosition`](crate::model::SourcePosition).
#[derive(Deserialize)]
#[allow(dead_code)] // as above
struct Position<'row> {
    #[serde(borrow)]
    file: Cow<'row, str>,
    line: u32,
    column: u32,
}

/// A [`Segment`](crate::model::Segment).
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code)] // as above
enum Segment<'row> {
    Step {
        #[serde(borrow)]
        title: Cow<'row, str>,
        nth: u32,
    },
    Branch {
        nth: u32,
        #[serde(borrow)]
        label: Cow<'row, str>,
    },
    Undo {
        #[serde(borrow)]
        of: Cow<'row, str>,
    },
}

/// A list of which only the form of its items matters.
struct Passed<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Passed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Items<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Items<T> {
            type Value = ();

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut items: A,
            ) -> std::result::Result<(), A::Error> {
                while items.next_element::<T>()?.is_some() {}
                Ok(())
            }
        }
        let passed = deserializer.deserialize_seq(Items(PhantomData::<T>));
        passed.map(|()| Self(PhantomData))
    }
}

/// The sketch of a record of which a journal has many, by its text; none of any other.
pub(super) fn sketched(place: Place, body: &str) -> serde_json::Result<Option<Sketch<'_>>> {
    Ok(Some(match kind(body) {
        Some("intent") => Sketch::Begun(place, serde_json::from_str(body)?, None),
        Some("outcome") => {
            let ended: Ended = serde_json::from_str(body)?;
            Sketch::Ended(place, ended.id, ended.attempt, ended.result.standing())
        }
        Some("observed") => {
            let Observed { intent, result } = serde_json::from_str(body)?;
            Sketch::Begun(place, intent, Some(result.standing()))
        }
        _ => return Ok(None),
    }))
}

/// What kind of record a text is, if it says that first, as every writer does.
pub(super) fn kind(body: &str) -> Option<&str> {
    let rest = body.strip_prefix(r#"{"record":""#)?;
    rest.find('"').map(|end| &rest[..end])
}
