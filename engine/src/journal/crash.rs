//! Crash points: how tests kill the engine at every boundary of the journal.
//!
//! `RUNBOOK_CRASH_AT=N` kills this process with SIGKILL right after the transaction that holds record `N`
//! is durable, before anyone is told (and before the mirror has it). `RUNBOOK_CRASH_AT=N-` kills it right
//! before that transaction is written, so that nothing of it is durable. A group of records is cut at `N`,
//! so that every record can be such a boundary. Read once for each opened journal; unset, it costs one
//! comparison with `None` for each group.

use rustix::process::{Signal, getpid, kill_process};

/// Where to die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CrashPoint {
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

/// Dies if the transaction that begins with record `first` is the one to die before.
pub(super) fn before(point: Option<CrashPoint>, first: Option<u64>) {
    if let (Some(CrashPoint::Before(at)), Some(first)) = (point, first)
        && at == first
    {
        die();
    }
}

/// Dies if the transaction that ends with record `last` is the one to die after.
pub(super) fn after(point: Option<CrashPoint>, last: Option<u64>) {
    if let (Some(CrashPoint::After(at)), Some(last)) = (point, last)
        && at == last
    {
        die();
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
