//! What the connections of a run need to know of it: who it is, where what they make is written down, how what they
//! wait for is told.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::answers::who;
use crate::executor::{Announcer, Ledger};
use crate::journal::Record;
use crate::model::{ObjectRef, Target};
use crate::report::Event;
use crate::transport::kube::helper::Notebook;
use crate::transport::kube::{Away, LeaseHook, LeaseNews};
use crate::transport::{Cancel, Temporary, TransportError};

/// Told what a call of the cluster's API waits for.
pub type Told = Arc<dyn Fn(&Away) + Send + Sync>;

/// A run, as its connections know it.
#[derive(Clone)]
pub struct RunContext {
    /// Its name; for a dry run one that nobody else has.
    pub run: String,
    /// Its operator.
    pub owner: String,
    /// When it began.
    pub since: Timestamp,
    /// How it is interrupted.
    pub cancel: Cancel,
    /// What is told while the API server is away.
    pub told: Told,
    /// Where temporary objects are written down.
    pub notebook: Arc<dyn Notebook>,
    /// Whether a dry run may start helper pods that only look.
    pub observer_pods: bool,
    announcer: Announcer,
}

impl RunContext {
    /// The context of a run with a journal.
    pub fn recorded(ledger: &Arc<Ledger>, announcer: &Announcer, cancel: &Cancel) -> Self {
        let since = ledger
            .history()
            .sessions
            .first()
            .map_or_else(Timestamp::now, |session| session.started);
        Self {
            run: ledger.run().to_string(),
            since,
            notebook: Arc::new(Recorded {
                ledger: ledger.clone(),
                announcer: announcer.clone(),
            }),
            ..Self::unrecorded(announcer, cancel)
        }
    }

    /// The context of a dry run, which leaves no journal.
    pub fn unrecorded(announcer: &Announcer, cancel: &Cancel) -> Self {
        let random = uuid::Uuid::new_v4().simple().to_string();
        Self {
            run: format!("dry-{}", &random[..12]),
            owner: who(),
            since: Timestamp::now(),
            cancel: cancel.clone(),
            told: told(announcer),
            notebook: Arc::new(Announced(announcer.clone())),
            observer_pods: true,
            announcer: announcer.clone(),
        }
    }

    /// Tells what stays behind, or what is not as it should be.
    pub fn left(&self, what: Vec<String>) {
        for line in what {
            self.announcer.warn(&line);
        }
    }

    /// What happens to the cluster's lease.
    pub fn lease_hook(&self) -> LeaseHook {
        let (announcer, cancel) = (self.announcer.clone(), self.cancel.clone());
        Arc::new(move |news| {
            match news {
            LeaseNews::Watching { holder } => announcer.warn(&format!(
                "{holder} has the cluster's lease but says nothing; it is taken over if that stays so for half a minute"
            )),
            LeaseNews::Lost { holder } => {
                announcer.warn(&format!(
                    "{holder} has taken over this cluster: nothing more is started here"
                ));
                cancel.request();
            }
        }
        })
    }
}

/// How often the same absence is told, at most.
const AGAIN: Duration = Duration::from_secs(1);

/// Many branches may wait for one API server: they are told as one.
fn told(announcer: &Announcer) -> Told {
    let last: Mutex<Option<Instant>> = Mutex::default();
    let announcer = announcer.clone();
    Arc::new(move |away| {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        match away {
            Away::Waiting {
                state,
                why,
                waited,
                limit,
            } => {
                if last.is_some_and(|last| last.elapsed() < AGAIN) {
                    return;
                }
                *last = Some(Instant::now());
                announcer.emit(Event::ApiAway {
                    state: (*state).to_owned(),
                    why: announcer.redact(why),
                    waited_s: waited.as_secs(),
                    limit_s: limit.as_secs(),
                });
            }
            Away::Back { waited } => {
                if last.take().is_some() {
                    announcer.emit(Event::ApiBack {
                        waited_s: waited.as_secs(),
                    });
                }
            }
        }
    })
}

fn announce(announcer: &Announcer, what: &Temporary) {
    announcer.emit(Event::Temporary {
        object: what.object.to_string(),
        what: what.what.clone(),
    });
}

/// Writes into the journal, before it says so.
struct Recorded {
    ledger: Arc<Ledger>,
    announcer: Announcer,
}

impl Notebook for Recorded {
    fn about_to_make(&self, what: &Temporary) -> Result<(), TransportError> {
        if self.remembers(&what.object) {
            return Ok(());
        }
        let record = Record::Temporary {
            object: what.object.clone(),
            what: what.what.clone(),
        };
        self.ledger
            .commit(record)
            .map_err(|failure| TransportError::Refused {
                target: Target::Cluster,
                why: format!("{} is not made: {failure}", what.object),
            })?;
        announce(&self.announcer, what);
        Ok(())
    }

    fn gone(&self, what: &ObjectRef) {
        let record = Record::TemporaryGone {
            object: what.clone(),
        };
        // Where it cannot be written, `gc` looks for the object once more and does not find it.
        let _ = self.ledger.commit(record);
    }

    fn remembers(&self, what: &ObjectRef) -> bool {
        self.ledger.history().temporaries().contains_key(what)
    }
}

/// Only says so.
struct Announced(Announcer);

impl Notebook for Announced {
    fn about_to_make(&self, what: &Temporary) -> Result<(), TransportError> {
        announce(&self.0, what);
        Ok(())
    }

    fn gone(&self, _: &ObjectRef) {}

    fn remembers(&self, _: &ObjectRef) -> bool {
        false
    }
}
