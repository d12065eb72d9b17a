//! When a run was worked on: its sessions, and when each step was first left for good.

use std::collections::HashMap;

use jiff::Timestamp;

use super::SessionReport;
use super::collect::titles;
use crate::journal::{Record, SessionEntry, StepStatus, Stored};
use crate::model::Segment;
use crate::report::RunState;

/// What of a session only its records say.
struct Session<'a> {
    last: Timestamp,
    message: &'a str,
}

/// The sessions in order.
pub(super) fn sessions(entries: &[SessionEntry], records: &[Stored]) -> Vec<SessionReport> {
    let mut met: Vec<Session<'_>> = Vec::new();
    for stored in records {
        if let Record::SessionStarted { .. } = &stored.record {
            let (last, message) = (stored.at, "");
            met.push(Session { last, message });
        }
        let Some(session) = met.last_mut() else {
            continue;
        };
        session.last = stored.at;
        if let Record::Ended { message, .. } = &stored.record {
            session.message = message;
        }
    }
    let told = entries.iter().zip(&met);
    told.map(|(entry, met)| session(entry, met)).collect()
}

fn session(entry: &SessionEntry, met: &Session<'_>) -> SessionReport {
    SessionReport {
        kind: format!("{:?}", entry.kind).to_lowercase(),
        operator: entry.operator.clone(),
        started: entry.started,
        ended: entry.ended.map(|(_, at)| at),
        last: met.last,
        ending: entry
            .ended
            .map_or("no word of an end", |(ending, _)| {
                RunState::Ended(ending).word()
            })
            .to_owned(),
        message: met.message.to_owned(),
    }
}

/// When each step was done: a resume that only replays it walks through it again, and adds nothing to it.
pub(super) fn done_at(records: &[Stored]) -> HashMap<Vec<String>, Timestamp> {
    let mut done: HashMap<&[Segment], Timestamp> = HashMap::new();
    for stored in records {
        match &stored.record {
            Record::StepEnded {
                path,
                status: StepStatus::Done,
            } => {
                done.entry(&path.0).or_insert(stored.at);
            }
            Record::Intent(intent) | Record::Observed { intent, .. } => {
                // Something new in it: it was not done yet.
                let scope = &intent.scope.0;
                for length in 1..=scope.len() {
                    done.remove(&scope[..length]);
                }
            }
            _ => {}
        }
    }
    let mut by_title: HashMap<Vec<String>, Timestamp> = HashMap::new();
    for (path, at) in done {
        let known = by_title.entry(titles(path)).or_insert(at);
        *known = at.max(*known);
    }
    by_title
}
