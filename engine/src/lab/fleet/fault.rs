//! Faults on request: at the N-th command on a host, something goes wrong, once.

use serde::{Deserialize, Serialize};

use crate::lab::shell::matches;

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What happens.
    pub kind: FaultKind,
    /// Where: a host, or a pod as `namespace/name`.
    pub target: String,
    /// At which command there, from 1; file words count too.
    pub nth: u32,
    /// Only commands whose whole text matches this pattern with `*` and `?` count (`write PATH`, `read PATH` for
    /// files); `nth` is then how many of them are still to come, this one included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matching: Option<String>,
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
    /// The connection is lost before the command arrives.
    LoseRequest,
    /// The connection is lost, and the command arrives this many seconds later all the same.
    Delay(u32),
    /// The command arrives, and this many seconds later once more.
    Twice(u32),
    /// The host reboots instead of executing the command.
    Reboot,
    /// The host reboots when the command has started and has done nothing yet.
    RebootAtStart,
    /// The host reboots when the command has done everything and its exit status is not written yet.
    RebootAtEnd,
    /// The command is not executed; it exits with 1.
    Fail,
    /// The answer comes this many seconds late.
    Late(u32),
}

impl FaultKind {
    /// Every kind, with a duration of one second where it has one.
    pub fn every() -> Vec<Self> {
        vec![
            Self::LoseConnection,
            Self::LoseRequest,
            Self::Delay(1),
            Self::Twice(1),
            Self::Reboot,
            Self::RebootAtStart,
            Self::RebootAtEnd,
            Self::Fail,
            Self::Late(1),
        ]
    }

    /// The same kind with this duration, where it has one.
    pub fn lasting(self, seconds: u32) -> Self {
        match self {
            Self::Delay(_) => Self::Delay(seconds),
            Self::Twice(_) => Self::Twice(seconds),
            Self::Late(_) => Self::Late(seconds),
            other => other,
        }
    }

    /// Whether the host goes down in it.
    pub fn reboots(self) -> bool {
        matches!(self, Self::Reboot | Self::RebootAtStart | Self::RebootAtEnd)
    }

    /// Its name, as it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::LoseConnection => "lose-connection",
            Self::LoseRequest => "lose-request",
            Self::Delay(_) => "delay",
            Self::Twice(_) => "twice",
            Self::Reboot => "reboot",
            Self::RebootAtStart => "reboot-at-start",
            Self::RebootAtEnd => "reboot-at-end",
            Self::Fail => "fail",
            Self::Late(_) => "late",
        }
    }
}

impl Fault {
    /// Whether another is the same, happened or not.
    pub fn is_like(&self, other: &Self) -> bool {
        (self.kind, &self.target, self.nth, &self.matching)
            == (other.kind, &other.target, other.nth, &other.matching)
    }

    /// Whether it strikes the exchange number `contact` with `target`, which asks for `what`.
    pub fn strikes(&mut self, target: &str, contact: u32, what: &str) -> bool {
        if self.done || self.target != target {
            return false;
        }
        self.done = match &self.matching {
            None => self.nth == contact,
            Some(pattern) if !matches(pattern, what) => false,
            Some(_) => {
                self.nth = self.nth.saturating_sub(1);
                self.nth == 0
            }
        };
        self.done
    }

    /// Reads `KIND:HOST:N` (`lose-connection`, `lose-request`, `reboot`, `reboot-at-start`, `reboot-at-end`, `fail`) and
    /// `KIND:HOST:N:SECONDS` (`late`, `delay`, `twice`).
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no fault; expected KIND:HOST:N with lose-connection, lose-request, reboot, reboot-at-start, \
                 reboot-at-end or fail, or KIND:HOST:N:SECONDS with late, delay or twice"
            )
        };
        let parts: Vec<&str> = text.split(':').collect();
        let (kind, target, nth, seconds) = match parts[..] {
            [kind, target, nth] => (kind, target, nth, None),
            [kind, target, nth, seconds] => {
                let seconds: u32 = seconds.parse().map_err(|_| wrong())?;
                (kind, target, nth, Some(seconds))
            }
            _ => return Err(wrong()),
        };
        let lasts = matches!(kind, "late" | "delay" | "twice");
        let kind = FaultKind::every()
            .into_iter()
            .find(|known| known.name() == kind && lasts == seconds.is_some())
            .ok_or_else(wrong)?
            .lasting(seconds.unwrap_or_default());
        Ok(Self {
            kind,
            target: target.to_owned(),
            nth: nth.parse().ok().filter(|nth| *nth > 0).ok_or_else(wrong)?,
            matching: None,
            done: false,
        })
    }
}
