//! A target that does not answer is tried again for a while, and the operator is told.

use std::time::{Duration, Instant};

use super::live::Live;
use crate::model::Target;
use crate::report::Event;
use crate::transport::TransportError;

/// How long a lost connection is tried again before the operation is left for resume: 30 seconds.
pub(super) const RECONNECT: Duration = Duration::from_secs(30);

/// Tries something again while the target cannot be reached, for as long as [`RECONNECT`].
pub(super) fn persistently<T>(
    live: &Live,
    target: &Target,
    mut work: impl FnMut() -> Result<T, TransportError>,
) -> Result<T, TransportError> {
    use TransportError::{Lost, Unreachable};
    let clock = live.fleet.clock();
    let until = clock.now() + RECONNECT;
    let mut pause = Duration::from_millis(250);
    let mut absence = Absence::of(live, target);
    loop {
        match work() {
            Err(error @ (Lost { .. } | Unreachable { .. })) => {
                let out_of_time = clock.now() >= until || absence.since.elapsed() >= 2 * RECONNECT;
                if out_of_time {
                    return Err(error);
                }
                absence.goes_on(&error.to_string());
                if !clock.sleep(pause, &live.cancel) {
                    return Err(error);
                }
                pause = (pause * 2).min(Duration::from_secs(4));
            }
            result => {
                absence.over = result.is_ok();
                return result;
            }
        }
    }
}

/// The time for which a target is away. Its end is told whichever way it comes.
pub(super) struct Absence<'a> {
    live: &'a Live,
    target: &'a Target,
    since: Instant,
    told: bool,
    /// Whether the target answered in the end.
    pub over: bool,
}

impl<'a> Absence<'a> {
    /// One that may begin now.
    pub(super) fn of(live: &'a Live, target: &'a Target) -> Self {
        Self {
            live,
            target,
            since: Instant::now(),
            told: false,
            over: false,
        }
    }

    /// The target did not answer once more.
    pub(super) fn goes_on(&mut self, why: &str) {
        self.told = true;
        self.live.announcer.emit(Event::TargetAway {
            target: self.target.clone(),
            why: self.live.announcer.redact(why),
            waited_s: self.since.elapsed().as_secs(),
            limit_s: RECONNECT.as_secs(),
        });
    }
}

impl Drop for Absence<'_> {
    fn drop(&mut self) {
        if self.told {
            self.live.announcer.emit(Event::TargetBack {
                target: self.target.clone(),
                answers: self.over,
                waited_s: self.since.elapsed().as_secs(),
            });
        }
    }
}
