//! Where in its execution the script is: one stack of frames per thread, because a branch of `each` runs on a
//! thread of its own and everything inside it on that thread. Keys of operations come from here.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{OperationKey, ScopePath, Segment};

/// One scope: a step, a branch, or the script's top level. Counts what happens in it.
#[derive(Debug, Default)]
pub struct ScopeState {
    path: ScopePath,
    /// The path as text, with which every key in it begins.
    text: String,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    operations: u32,
    eaches: u32,
    steps: HashMap<String, u32>,
}

impl ScopeState {
    /// A scope at this path, nothing counted yet.
    pub fn at(path: ScopePath) -> Arc<Self> {
        Arc::new(Self {
            text: path.to_string(),
            path,
            counts: Mutex::default(),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &ScopePath {
        &self.path
    }

    /// The key of the next operation in this scope.
    pub fn next_operation(&self) -> OperationKey {
        let mut counts = self.lock();
        counts.operations += 1;
        self.operation(counts.operations)
    }

    /// The key that the next operation in this scope will have.
    pub fn peek_operation(&self) -> OperationKey {
        self.operation(self.lock().operations + 1)
    }

    fn operation(&self, nth: u32) -> OperationKey {
        OperationKey::within(&self.text, nth)
    }

    /// The number of the next `each` in this scope.
    pub fn next_each(&self) -> u32 {
        let mut counts = self.lock();
        counts.eaches += 1;
        counts.eaches
    }

    /// The path of the next step with this title in this scope.
    pub fn next_step(&self, title: &str) -> ScopePath {
        let mut counts = self.lock();
        let nth = counts.steps.entry(title.to_owned()).or_default();
        *nth += 1;
        self.path.join(Segment::Step {
            title: title.to_owned(),
            nth: *nth,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        // Counting cannot be left half done, so a panic elsewhere does not make the numbers wrong.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether words are performed as operations of their own, or inside the closures of another operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Each word is an operation: journaled, replayed.
    Operations,
    /// Inside `observe` of a change or the condition of a wait: may only look; part of that operation's record.
    Looking {
        /// The word whose closure this is, for messages.
        of: &'static str,
    },
    /// Inside `apply` of a change: may look and run; part of that operation's record, repeated with it.
    Applying {
        /// The change.
        key: OperationKey,
    },
}

#[derive(Clone)]
struct Frame {
    scope: Arc<ScopeState>,
    phase: Phase,
}

thread_local! {
    static FRAMES: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
}

/// Leaves the frame when dropped.
#[must_use]
pub struct Entered(());

impl Drop for Entered {
    fn drop(&mut self) {
        FRAMES.with_borrow_mut(|frames| frames.pop());
    }
}

/// Enters a scope on this thread.
pub fn enter(scope: Arc<ScopeState>, phase: Phase) -> Entered {
    FRAMES.with_borrow_mut(|frames| frames.push(Frame { scope, phase }));
    Entered(())
}

/// Enters the closure of an operation in the current scope.
pub fn enter_phase(phase: Phase) -> Entered {
    enter(current(), phase)
}

/// The scope that this thread is in; a fresh top level outside of any.
pub fn current() -> Arc<ScopeState> {
    FRAMES
        .with_borrow(|frames| frames.last().map(|frame| frame.scope.clone()))
        .unwrap_or_default()
}

/// The phase that this thread is in.
pub fn phase() -> Phase {
    FRAMES.with_borrow(|frames| {
        frames
            .last()
            .map_or(Phase::Operations, |frame| frame.phase.clone())
    })
}
