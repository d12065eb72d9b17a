//! The way to the simulated hosts: every exchange waits for its turn, and any of them may be the engine's last.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use runbook::journal::Blackout;
use runbook::model::{FileState, OperationId, Target, TargetPath};
use runbook::transport::{
    ActingFleet, Actor, Cancel, Clock, ClusterActor, ClusterObserver, Command, Completion,
    FileStat, InFlight, Launch, Observer, ObservingFleet, Output, OutputSink, TransportError,
};

use super::turns::Turns;

/// Where among the exchanges of a session the engine dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    /// The exchange was not sent any more.
    Before(usize),
    /// The exchange took place and nobody heard of it.
    After(usize),
}

/// What one session's connections share.
pub struct Wire {
    pub turns: Arc<Turns>,
    pub blackout: Blackout,
    pub last: Option<Last>,
    pub exchanges: AtomicUsize,
    /// Told before each effect, on the thread that brings it about.
    pub before_effect: Box<dyn Fn(&str) + Send + Sync>,
}

impl Wire {
    fn exchange<T>(
        &self,
        work: impl FnOnce() -> Result<T, TransportError>,
    ) -> Result<T, TransportError> {
        self.turns.pass();
        let nth = self.exchanges.fetch_add(1, Ordering::SeqCst) + 1;
        if self.last == Some(Last::Before(nth)) {
            self.blackout.fall();
        }
        if self.blackout.has_fallen() {
            return Err(TransportError::Interrupted);
        }
        let result = work();
        if self.last == Some(Last::After(nth)) {
            self.blackout.fall();
        }
        // A dead engine hears no answer.
        match self.blackout.has_fallen() {
            true => Err(TransportError::Interrupted),
            false => result,
        }
    }

    fn effect<T>(
        &self,
        what: &str,
        work: impl FnOnce() -> Result<T, TransportError>,
    ) -> Result<T, TransportError> {
        self.exchange(|| {
            (self.before_effect)(what);
            work()
        })
    }
}

/// All hosts of a session.
pub struct SimFleet<F> {
    pub inner: F,
    pub wire: Arc<Wire>,
}

impl<F: ActingFleet> ObservingFleet for SimFleet<F> {
    fn observer(&self, target: &Target) -> Result<Arc<dyn Observer>, TransportError> {
        Ok(Arc::new(Connection {
            inner: self.inner.actor(target)?,
            wire: self.wire.clone(),
        }))
    }

    fn cluster_observer(&self) -> Result<Arc<dyn ClusterObserver>, TransportError> {
        self.inner.cluster_observer()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SimClock {
            inner: self.inner.clock(),
            wire: self.wire.clone(),
        })
    }
}

impl<F: ActingFleet> ActingFleet for SimFleet<F> {
    fn actor(&self, target: &Target) -> Result<Arc<dyn Actor>, TransportError> {
        Ok(Arc::new(Connection {
            inner: self.inner.actor(target)?,
            wire: self.wire.clone(),
        }))
    }

    fn cluster_actor(&self) -> Result<Arc<dyn ClusterActor>, TransportError> {
        self.inner.cluster_actor()
    }

    fn close(&self) {
        self.inner.close();
    }
}

struct SimClock {
    inner: Arc<dyn Clock>,
    wire: Arc<Wire>,
}

impl Clock for SimClock {
    fn now(&self) -> jiff::Timestamp {
        self.inner.now()
    }

    fn sleep(&self, duration: Duration, cancel: &Cancel) -> bool {
        self.wire.turns.pass();
        !self.wire.blackout.has_fallen() && self.inner.sleep(duration, cancel)
    }
}

struct Connection {
    inner: Arc<dyn Actor>,
    wire: Arc<Wire>,
}

impl Observer for Connection {
    fn probe(
        &self,
        command: &Command,
        timeout: Duration,
        cancel: &Cancel,
    ) -> Result<Output, TransportError> {
        self.wire
            .exchange(|| self.inner.probe(command, timeout, cancel))
    }

    fn read_file(&self, path: &TargetPath) -> Result<FileState, TransportError> {
        self.wire.exchange(|| self.inner.read_file(path))
    }

    fn stat(&self, path: &TargetPath) -> Result<Option<FileStat>, TransportError> {
        self.wire.exchange(|| self.inner.stat(path))
    }
}

impl Actor for Connection {
    fn replace_file(
        &self,
        path: &TargetPath,
        expected: &FileState,
        wanted: &FileState,
    ) -> Result<(), TransportError> {
        self.wire.effect(path.as_str(), || {
            self.inner.replace_file(path, expected, wanted)
        })
    }

    fn launch(
        &self,
        launch: &Launch,
        sink: &dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<Completion, TransportError> {
        let what = launch.command.program.display();
        self.wire
            .effect(&what, || self.inner.launch(launch, sink, cancel))
    }

    fn inquire(&self, marker: &OperationId, attempt: u32) -> Result<InFlight, TransportError> {
        self.wire.exchange(|| self.inner.inquire(marker, attempt))
    }

    fn stop(
        &self,
        marker: &OperationId,
        attempt: u32,
        cancel: &Cancel,
    ) -> Result<InFlight, TransportError> {
        self.wire
            .exchange(|| self.inner.stop(marker, attempt, cancel))
    }

    fn attach(
        &self,
        launch: &Launch,
        seen: (u64, u64),
        sink: &dyn OutputSink,
        cancel: &Cancel,
    ) -> Result<Completion, TransportError> {
        self.wire
            .exchange(|| self.inner.attach(launch, seen, sink, cancel))
    }

    fn forget(&self, markers: &[OperationId]) -> Result<(), TransportError> {
        self.wire.exchange(|| self.inner.forget(markers))
    }
}

/// Effects that began, for the check of their order with the journal.
pub type Effects = Arc<Mutex<Vec<String>>>;
