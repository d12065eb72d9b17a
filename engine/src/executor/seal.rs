//! What a dry run saw, as hashes that a plan file may hold: a plain hash would leak a weak secret, so they are keyed
//! with the plan's own key, and the secrets of the run stand as their marks in what is hashed.

use std::sync::Arc;

use crate::model::{Image, Secrets, Unknown};
use crate::operation::{Action, Call, Change};
use crate::report::Seal;

/// A change with the images between which it lies, where they are known.
pub(super) type Sealed<'a> = (&'a dyn Change, Option<(&'a Image, &'a Image)>);

/// Makes the hashes of one plan.
pub struct Sealer {
    key: [u8; 32],
    secrets: Arc<Secrets>,
}

impl Sealer {
    /// The sealer of the plan with this seed.
    pub fn new(seed: &str, secrets: Arc<Secrets>) -> Self {
        Self {
            key: *blake3::hash(seed.as_bytes()).as_bytes(),
            secrets,
        }
    }

    /// The seal of a planned effect; for a change with what is changed.
    pub(super) fn seal(&self, call: &Call<'_>, change: Option<Sealed<'_>>) -> Seal {
        let images = change.and_then(|(_, images)| images);
        Seal {
            arguments: self.arguments(&call.action),
            subject: change.map(|(change, _)| change.subject()),
            before: images.and_then(|(before, _)| self.file(before)),
            after: images.and_then(|(_, after)| self.file(after)),
        }
    }

    /// The hash of the whole arguments; none if a part of them is known only in the run.
    pub(super) fn arguments(&self, action: &Action<'_>) -> Option<String> {
        let arguments = action.arguments();
        match arguments.unknown() {
            Some(_) => None,
            None => self.hash(&arguments.canonical()),
        }
    }

    /// The hash of a file with mode and owner; none for anything else, and for a text with an unknown part. Of an
    /// object only what the change concerns counts, and that the diff shows: servers write into the rest all the time.
    pub(super) fn file(&self, image: &Image) -> Option<String> {
        match image {
            Image::File(_) => {
                let json = serde_json::to_string(image).ok()?;
                self.hash(&json)
            }
            _ => None,
        }
    }

    /// A text with its secrets behind their marks.
    pub(super) fn redact(&self, text: &str) -> String {
        self.secrets.redact(text)
    }

    fn hash(&self, json: &str) -> Option<String> {
        if json.contains(Unknown::MARK) {
            return None;
        }
        let redacted = self.secrets.redact_json(json);
        Some(blake3::keyed_hash(&self.key, redacted.as_bytes()).to_hex()[..32].to_owned())
    }
}
