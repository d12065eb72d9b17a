//! Faults on request: at the N-th command on a host, something goes wrong, once.

use serde::{Deserialize, Serialize};

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What happens.
    pub kind: FaultKind,
    /// Where: a host, or a pod as `namespace/name`.
    pub target: String,
    /// At which command there, from 1; file words count too.
    pub nth: u32,
    /// It has happened.
    #[serde(default)]
    pub done: bool,
}

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The command is executed and the connection lost before its answer.
    LoseConnection,
    /// The host reboots instead of executing the command.
    Reboot,
    /// The command is not executed; it exits with 1.
    Fail,
    /// The answer comes this many seconds late.
    Late(u32),
}

impl Fault {
    /// Whether another is the same, happened or not.
    pub fn is_like(&self, other: &Self) -> bool {
        (self.kind, &self.target, self.nth) == (other.kind, &other.target, other.nth)
    }

    /// Reads `lose-connection:HOST:N`, `reboot:HOST:N`, `fail:HOST:N`, `late:HOST:N:SECONDS`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no fault; expected lose-connection:HOST:N, reboot:HOST:N, fail:HOST:N or late:HOST:N:SECONDS"
            )
        };
        let parts: Vec<&str> = text.split(':').collect();
        let (kind, target, nth) = match parts[..] {
            ["lose-connection", target, nth] => (FaultKind::LoseConnection, target, nth),
            ["reboot", target, nth] => (FaultKind::Reboot, target, nth),
            ["fail", target, nth] => (FaultKind::Fail, target, nth),
            ["late", target, nth, seconds] => {
                let seconds = seconds.parse().map_err(|_| wrong())?;
                (FaultKind::Late(seconds), target, nth)
            }
            _ => return Err(wrong()),
        };
        Ok(Self {
            kind,
            target: target.to_owned(),
            nth: nth.parse().ok().filter(|nth| *nth > 0).ok_or_else(wrong)?,
            done: false,
        })
    }
}
