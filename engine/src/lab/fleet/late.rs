//! Requests that the network holds back: the engine has given them up as lost, and they arrive all the same.

use serde::{Deserialize, Serialize};

use crate::lab::world::{Millis, World};
use crate::model::{FileState, TargetPath};
use crate::transport::Launch;

/// A request on its way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LateRequest {
    /// When it arrives.
    pub at: Millis,
    /// Where: a host, or a pod as `namespace/name`.
    pub place: String,
    /// What it asks for.
    pub request: Request,
}

/// What can come late.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// A command.
    Launch(Box<Launch>),
    /// A file to replace.
    Replace {
        /// The file.
        path: TargetPath,
        /// What must be there.
        expected: Box<FileState>,
        /// What comes in its place.
        wanted: Box<FileState>,
    },
}

impl World {
    /// Holds a request back.
    pub fn hold_back(&mut self, delay: Millis, place: &str, request: Request) {
        let at = self.now + delay;
        let late = LateRequest {
            at,
            place: place.to_owned(),
            request,
        };
        self.late.push(late);
        self.late.sort_by_key(|late| late.at);
    }

    /// The requests to a place that have arrived by now. Nobody could tell sooner: only a look at the same place can.
    pub fn arrived(&mut self, place: &str) -> Vec<Request> {
        let now = self.now;
        let due = |late: &LateRequest| late.place == place && late.at <= now;
        let arrived = self.late.iter().filter(|late| due(late));
        let arrived = arrived.map(|late| late.request.clone()).collect();
        self.late.retain(|late| !due(late));
        arrived
    }

    /// A place that reboots loses what was on its way to it.
    pub fn lose_requests(&mut self, place: &str) {
        self.late.retain(|late| late.place != place);
    }
}
