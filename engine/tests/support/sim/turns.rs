//! One branch at a time, in an order that follows from the seed: at every exchange with a target the branches wait
//! for their turn, so that a schedule can be had again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

use super::dice::Dice;

/// No schedule takes as long as this: whoever waits longer waits for somebody who will not come.
const HANGS: Duration = Duration::from_secs(60);

/// The order of turns of one session.
pub struct Turns {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    dice: Dice,
    /// The `each` to come: branches, and how many at once.
    each: std::vec::IntoIter<(usize, usize)>,
    /// Branches of the present `each` that have not begun.
    to_begin: usize,
    /// How many branches must be waiting before one is chosen; 0 outside of parallel branches.
    crowd: usize,
    failed: bool,
    names: BTreeMap<String, ThreadId>,
    waiting: BTreeSet<String>,
    turn: Option<String>,
}

impl Turns {
    pub fn new(dice: Dice, each: Vec<(usize, usize)>) -> Self {
        Self {
            state: Mutex::new(State {
                dice,
                each: each.into_iter(),
                to_begin: 0,
                crowd: 0,
                failed: false,
                names: BTreeMap::new(),
                waiting: BTreeSet::new(),
                turn: None,
            }),
            changed: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An `each` is about to begin its branches.
    pub fn each_begins(&self) {
        let mut state = self.state();
        let (branches, width) = state.each.next().unwrap_or((0, 1));
        state.failed = false;
        // One at a time needs no order.
        (state.to_begin, state.crowd) = match width {
            0 | 1 => (0, 0),
            width => (branches, width),
        };
    }

    pub fn branch_begins(&self, name: &str) {
        let mut state = self.state();
        if state.crowd == 0 {
            return;
        }
        state.to_begin -= 1;
        state
            .names
            .insert(name.to_owned(), std::thread::current().id());
        self.wait(state, name.to_owned());
    }

    pub fn branch_ends(&self, name: &str, failed: bool) {
        let mut state = self.state();
        if state.names.remove(name).is_none() {
            return;
        }
        state.failed |= failed;
        // Its worker takes the next branch, unless a failure keeps the rest from beginning.
        if state.to_begin == 0 || state.failed {
            state.crowd -= 1;
        }
        state.turn = None;
        self.choose(&mut state);
    }

    /// The branch of this thread, if it is one, lets another go first.
    pub fn pass(&self) {
        let state = self.state();
        let me = std::thread::current().id();
        let name = state.names.iter().find(|(_, thread)| **thread == me);
        if let Some((name, _)) = name {
            let name = name.clone();
            self.wait(state, name);
        }
    }

    fn choose(&self, state: &mut State) {
        if state.turn.is_some() || state.waiting.is_empty() || state.waiting.len() < state.crowd {
            return;
        }
        let nth = state.dice.below(state.waiting.len());
        state.turn = state.waiting.iter().nth(nth).cloned();
        if let Some(name) = &state.turn {
            state.waiting.remove(name);
        }
        self.changed.notify_all();
    }

    fn wait(&self, mut state: MutexGuard<'_, State>, name: String) {
        if state.turn.as_ref() == Some(&name) {
            state.turn = None;
        }
        state.waiting.insert(name.clone());
        self.choose(&mut state);
        let (state, late) = self
            .changed
            .wait_timeout_while(state, HANGS, |state| state.turn.as_ref() != Some(&name))
            .unwrap_or_else(PoisonError::into_inner);
        drop(state);
        if late.timed_out() {
            // A panic would be caught as the script's, and the next session would go on as if it had died.
            eprintln!("the schedule hangs at {name}");
            std::process::abort();
        }
    }
}
