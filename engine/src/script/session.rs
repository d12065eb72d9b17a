//! What the host words of one run share: the executor of its mode, the parameters, the inventory, the secrets.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use rhai::{EvalAltResult, FnPtr, NativeCallContext, Position};

use crate::executor::Executor;
use crate::inventory::Inventory;
use crate::journal::Parameter;
use crate::model::{
    HostName, OperationId, OperationKey, ScopePath, Secrets, SourcePosition, Target, Value,
};
use crate::operation::{Action, Call, Failure};

use super::failure;
use super::scope::{self, Phase};

/// Where a secret's value comes from.
pub trait SecretSource: Send + Sync {
    /// The value of the secret with this name; the error says how to give it.
    fn secret(&self, name: &str) -> Result<String, String>;
}

/// Everything that a session is made of.
pub struct SessionParts {
    /// The mode.
    pub executor: Arc<dyn Executor>,
    /// The runbook's file, for the places of errors.
    pub script: String,
    /// The parameters, checked.
    pub parameters: BTreeMap<String, Parameter>,
    /// The hosts.
    pub inventory: Arc<Inventory>,
    /// The hosts that `-l` left; all of the inventory without it.
    pub hosts: Vec<HostName>,
    /// The known secrets.
    pub secrets: Arc<Secrets>,
    /// Where secrets come from.
    pub secret_source: Arc<dyn SecretSource>,
    /// Bound on the branches of one `each`.
    pub parallel: usize,
    /// Collects what undo needs from the script; only while undoing.
    pub undo: Option<Arc<UndoRegistry>>,
}

/// The state behind the host words.
pub struct Session {
    pub(super) parts: SessionParts,
    chosen: HashSet<HostName>,
    /// The innermost step that an error left last, with the place where the error arose.
    left: Mutex<Option<(ScopePath, Option<SourcePosition>)>>,
}

impl Session {
    /// A session of these parts.
    pub fn new(parts: SessionParts) -> Arc<Self> {
        Arc::new(Self {
            chosen: parts.hosts.iter().cloned().collect(),
            parts,
            left: Mutex::default(),
        })
    }

    /// A session in which nothing runs: what is checked is never evaluated.
    pub(super) fn for_checking() -> Arc<Self> {
        let inventory = Arc::new(Inventory::local());
        Self::new(SessionParts {
            executor: Arc::new(super::checking::NotRunning),
            script: String::new(),
            parameters: BTreeMap::new(),
            hosts: inventory.hosts().cloned().collect(),
            inventory,
            secrets: Arc::new(Secrets::new()),
            secret_source: Arc::new(super::checking::NotRunning),
            parallel: 1,
            undo: None,
        })
    }

    /// An error that arose at a place leaves a step: for the reader of the error.
    pub(super) fn leaves(&self, path: &ScopePath, place: Option<SourcePosition>) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        // On its way out the error leaves the steps around that one as well.
        let further = |(inner, from): &(ScopePath, Option<SourcePosition>)| {
            path.contains(inner) && *from == place
        };
        if !left.as_ref().is_some_and(further) {
            *left = Some((path.clone(), place));
        }
    }

    /// The step and branch that an error from this place left, in words.
    pub(super) fn left(&self, place: &SourcePosition) -> Option<String> {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        // An error that the script caught is not the one that ended it.
        let (path, _) = left
            .as_ref()
            .filter(|(_, from)| from.as_ref() == Some(place))?;
        let branches = path.branches().join("/");
        let steps = path.steps().join(" / ");
        Some(match branches.is_empty() {
            true => format!("step \"{steps}\""),
            false => format!("step \"{steps}\", branch {branches}"),
        })
    }

    /// Whether `-l` left this host.
    pub(super) fn is_chosen(&self, host: &HostName) -> bool {
        self.chosen.contains(host)
    }

    /// The executor of the mode.
    pub fn executor(&self) -> &dyn Executor {
        &*self.parts.executor
    }

    /// The name that the next operation in the present scope will have; none in a dry run.
    pub(super) fn next_name(&self) -> Option<OperationId> {
        self.executor().name_of(&scope::current().peek_operation())
    }

    /// Performs a word: as an operation of its own, or as part of the operation in whose closure it stands.
    pub(super) fn perform(
        &self,
        context: &NativeCallContext,
        target: Target,
        action: Action<'_>,
    ) -> Result<Value, Box<EvalAltResult>> {
        self.perform_as(context, target, action)
            .map(|(value, _)| value)
    }

    /// Like [`Session::perform`], also telling the key that the operation got.
    pub(super) fn perform_as(
        &self,
        context: &NativeCallContext,
        target: Target,
        action: Action<'_>,
    ) -> Result<(Value, Option<OperationKey>), Box<EvalAltResult>> {
        let position = context.call_position();
        let result = match (scope::phase(), action) {
            (Phase::Operations, action) => {
                let scope = scope::current();
                let key = scope.next_operation();
                let call = Call {
                    key: key.clone(),
                    scope: scope.path().clone(),
                    source: self.place(context.call_source(), position),
                    target,
                    action,
                };
                return match self.executor().perform(&call) {
                    Ok(value) => Ok((value, Some(key))),
                    Err(failure) => Err(failure::raise(failure, position)),
                };
            }
            (_, Action::Observe(observation)) => self.executor().look(&target, observation),
            (Phase::Applying { key }, Action::Command(command)) => {
                self.executor().run_within(&key, &target, command)
            }
            (Phase::Applying { .. }, action) => Err(Failure::Misuse(format!(
                "`{}` does not belong into `apply`: use `run` there, or make it an operation of its own",
                action.kind()
            ))),
            (Phase::Looking { of }, action) => Err(Failure::Misuse(format!(
                "`{}` is not allowed inside {of}: only words that look (probe, read, exists, stat, kube.get …) are",
                action.kind()
            ))),
        };
        result
            .map(|value| (value, None))
            .map_err(|failure| failure::raise(failure, position))
    }

    /// A place in the text; errors of the main script carry no source.
    pub(super) fn place(&self, source: Option<&str>, position: Position) -> Option<SourcePosition> {
        let line = position.line()?;
        Some(SourcePosition {
            file: source.unwrap_or(&self.parts.script).to_owned(),
            line: line as u32,
            column: position.position().unwrap_or(1) as u32,
        })
    }

    /// Keeps a closure of the script for undo, if this session collects them.
    pub(super) fn keep_for_undo(
        &self,
        context: &NativeCallContext,
        key: Option<OperationKey>,
        action: &FnPtr,
        observe: Option<&FnPtr>,
    ) {
        if let (Some(registry), Some(key)) = (&self.parts.undo, key) {
            registry.keep(key, context, action, observe);
        }
    }
}

/// A misuse of a word at the place of its call.
pub(super) fn misuse(
    context: &NativeCallContext,
    message: impl Into<String>,
) -> Box<EvalAltResult> {
    failure::raise(Failure::Misuse(message.into()), context.call_position())
}

/// The closures of a script that put back what only the script knows how to put back, by operation.
#[derive(Default)]
pub struct UndoRegistry {
    actions: Mutex<HashMap<OperationKey, UndoAction>>,
}

impl UndoRegistry {
    #[allow(deprecated)] // the interpreter's only way to keep a call context; volatile, so the version is pinned
    fn keep(
        &self,
        key: OperationKey,
        context: &NativeCallContext,
        action: &FnPtr,
        observe: Option<&FnPtr>,
    ) {
        let action = UndoAction {
            context: context.store_data(),
            action: super::words::detached(action),
            observe: observe.map(super::words::detached),
        };
        self.actions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, action);
    }

    /// The closure kept for an operation.
    pub fn action(&self, key: &OperationKey) -> Option<UndoAction> {
        self.actions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            .cloned()
    }
}

/// A closure with the context that it is to be called in.
#[derive(Clone)]
pub struct UndoAction {
    #[allow(deprecated)] // see UndoRegistry::keep
    pub(super) context: rhai::NativeCallContextStore,
    /// `apply` of a change, or the closure of `on_undo`.
    pub(super) action: FnPtr,
    /// `observe` of a change.
    pub(super) observe: Option<FnPtr>,
}
