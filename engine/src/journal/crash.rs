//! Crash points: how tests kill the engine at every boundary of the journal.
//!
//! `RUNBOOK_CRASH_AT=N` kills this process with SIGKILL right after the transaction that holds record `N`
//! is durable, before anyone is told (and before the mirror has it). `RUNBOOK_CRASH_AT=N-` kills it right
//! before that transaction is written, so that nothing of it is durable. A group of records is cut at `N`,
//! so that every record can be such a boundary. Read once for each opened journal; unset, it costs one
//! comparison with `None` for each group.
//!
//! A [`Blackout`] does the same inside one process, for simulations of many thousand crashes: from that point on
//! nothing more is written and nobody is told of a success, as if the engine were dead; the targets live on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::JournalError;
use rustix::process::{Signal, getpid, kill_process};

/// Where to die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPoint {
    /// Before the transaction that begins with this record.
    Before(u64),
    /// After the transaction that ends with this record.
    After(u64),
}

impl CrashPoint {
    /// The point that the environment names, if it names one.
    pub fn from_environment() -> Option<Self> {
        Self::parse(&std::env::var("RUNBOOK_CRASH_AT").ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        match text.strip_suffix('-') {
            Some(number) => number.parse().ok().map(Self::Before),
            None => text.parse().ok().map(Self::After),
        }
    }

    /// Whether a transaction must end before record `seq`, given that it is not the transaction's first.
    pub fn cuts_before(self, seq: u64) -> bool {
        match self {
            Self::Before(at) => seq == at,
            Self::After(at) => seq == at.saturating_add(1),
        }
    }
}

/// An engine that is switched off in the middle of its work. Clones are the same switch.
#[derive(Clone, Debug, Default)]
pub struct Blackout {
    point: Option<CrashPoint>,
    fallen: Arc<AtomicBool>,
}

impl Blackout {
    /// A blackout at this point of the journal; none: only when [`Blackout::fall`] is called.
    pub fn at(point: Option<CrashPoint>) -> Self {
        Self {
            point,
            fallen: Arc::default(),
        }
    }

    /// Switches the engine off now.
    pub fn fall(&self) {
        self.fallen.store(true, Ordering::SeqCst);
    }

    /// Whether the engine is off.
    pub fn has_fallen(&self) -> bool {
        self.fallen.load(Ordering::SeqCst)
    }
}

/// How a journal's writer comes to its end before its time.
#[derive(Clone, Debug)]
pub(super) enum Crash {
    /// Not at all, which is every run that is no test; or by a signal.
    Kill(Option<CrashPoint>),
    /// By a switch.
    Blackout(Blackout),
}

impl Crash {
    /// Where, if at a point of the journal.
    pub fn point(&self) -> Option<CrashPoint> {
        match self {
            Self::Kill(point) => *point,
            Self::Blackout(blackout) => blackout.point,
        }
    }

    /// Before the transaction that begins with record `first`.
    pub fn before(&self, first: Option<u64>) -> Result<(), JournalError> {
        let here = matches!((self.point(), first), (Some(CrashPoint::Before(at)), Some(first)) if at == first);
        self.strike(here)
    }

    /// After the transaction that ends with record `last`.
    pub fn after(&self, last: Option<u64>) -> Result<(), JournalError> {
        let here =
            matches!((self.point(), last), (Some(CrashPoint::After(at)), Some(last)) if at == last);
        self.strike(here)
    }

    fn strike(&self, here: bool) -> Result<(), JournalError> {
        match self {
            Self::Kill(_) if here => die(),
            Self::Kill(_) => Ok(()),
            Self::Blackout(blackout) => {
                if here {
                    blackout.fall();
                }
                if blackout.has_fallen() {
                    let reason = "the engine was switched off (a simulated crash)";
                    return Err(JournalError::Poisoned(reason.to_owned()));
                }
                Ok(())
            }
        }
    }
}

fn die() -> ! {
    // SIGKILL runs no destructor and flushes nothing: as close to a crash as a process comes.
    let _ = kill_process(getpid(), Signal::KILL);
    // Reached only where the signal was refused; a test that asked for a crash must not go on.
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_sides_of_a_record() {
        assert_eq!(CrashPoint::parse("7"), Some(CrashPoint::After(7)));
        assert_eq!(CrashPoint::parse("7-"), Some(CrashPoint::Before(7)));
        assert_eq!(CrashPoint::parse("x"), None);
        assert!(CrashPoint::After(7).cuts_before(8) && !CrashPoint::After(7).cuts_before(7));
        assert!(CrashPoint::Before(7).cuts_before(7) && !CrashPoint::Before(7).cuts_before(8));
    }
}
