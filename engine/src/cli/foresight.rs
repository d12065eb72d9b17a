//! What would happen after an answer: the script is evaluated once more, what is recorded is replayed, the rest is planned
//! as in a dry run, through the connections of the run, of which it gets those that look.

use std::sync::Arc;

use super::run::{Parts, program};
use super::session::evaluate;
use crate::executor::{Announcer, Asker, DryRun, Foresight, Ledger, Replay};
use crate::model::{OperationKey, ScopePath};
use crate::report::{Foreseen, PlanCollector};
use crate::script::SourceSet;
use crate::transport::{ActingFleet, Cancel, ObservingFleet};

/// Looks ahead from the questions of a run.
pub struct LookAhead {
    /// The texts.
    pub sources: Arc<SourceSet>,
    /// What its words know.
    pub parts: Parts,
    /// What is recorded so far.
    pub ledger: Arc<Ledger>,
    /// The connections of the run.
    pub fleet: Arc<dyn ActingFleet>,
    /// Knows the answers that were given beforehand.
    pub asker: Arc<dyn Asker>,
    /// How the run is interrupted.
    pub cancel: Cancel,
}

impl Foresight for LookAhead {
    fn foresee(&self, key: &OperationKey, scope: &ScopePath) -> Option<Foreseen> {
        let plan = Arc::new(PlanCollector::default());
        let quiet = Announcer::new(plan.clone(), self.ledger.secrets().clone());
        let fleet: Arc<dyn ObservingFleet> = self.fleet.clone();
        let ahead = DryRun::new(
            fleet,
            quiet.clone(),
            self.asker.clone(),
            self.cancel.clone(),
        );
        let executor = Replay::new(self.ledger.clone(), quiet.clone(), ahead);
        // Nobody is asked for a secret while somebody is asked something else.
        let words = self
            .parts
            .clone()
            .session(Arc::new(executor), &quiet, false);
        let program = program(self.sources.clone(), words, true).ok()?;
        evaluate(&program);
        let foreseen = plan.plan().after(key, scope);
        Some(foreseen.unwrap_or_else(Foreseen::unplanned))
    }
}
