//! `change(#{ what, want, observe, apply })`: the general convergent change, from which the standard library builds
//! the rest; and `on_undo`, for what has to happen when everything is put back.

use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, FnPtr, Map, NativeCallContext};

use super::super::convert::{to_dynamic, to_value};
use super::super::failure::{self, Stop};
use super::super::scope::{self, Phase};
use super::super::session::{Session, UndoAction, misuse};
use super::super::unknown;
use super::each::detached;
use super::host::{Host, affects};
use super::options::Options;
use crate::executor::undo::ScriptedUndo;
use crate::model::{Image, OperationKey, Subject, Target, Value};
use crate::operation::{Action, Affects, Change, Failure, Telling};
use crate::script::convert::in_words;
use crate::transport::{ActingFleet, Cancel, ObservingFleet};

/// A change whose observation and application are closures of the script.
struct ScriptedChange<'a> {
    context: &'a NativeCallContext<'a>,
    key: OperationKey,
    what: String,
    summary: Option<String>,
    want: Value,
    observe: FnPtr,
    apply: FnPtr,
    reversible: bool,
    affects: Affects,
}

/// Calls a closure of the script in a phase.
fn call(
    context: &NativeCallContext,
    closure: &FnPtr,
    phase: Phase,
    arguments: Vec<Dynamic>,
) -> Result<Dynamic, Failure> {
    let _inside = scope::enter_phase(phase);
    closure
        .call_within_context::<Dynamic>(context, arguments)
        .map_err(|error| match failure::understand(&error) {
            Stop::Failure(failure) => failure,
            Stop::Finish(_) => Failure::Misuse("`finish` is not allowed inside a change".into()),
        })
}

impl Change for ScriptedChange<'_> {
    fn kind(&self) -> &str {
        "change"
    }

    fn arguments(&self) -> Value {
        Value::from_entries([
            ("what", Value::from(self.what.clone())),
            ("want", self.want.clone()),
        ])
    }

    fn summary(&self) -> String {
        match &self.summary {
            Some(summary) => summary.clone(),
            None => format!("{} → {}", self.what, self.want),
        }
    }

    fn subject(&self) -> Subject {
        Subject::Scripted(self.what.clone())
    }

    fn observe(&self, _: &dyn ObservingFleet, _: &Cancel) -> Result<Image, Failure> {
        let observed = call(
            self.context,
            &self.observe,
            Phase::Looking { of: "`observe`" },
            Vec::new(),
        )?;
        match unknown::inside(&observed) {
            Some(unknown) => Err(Failure::PlanEnds(unknown)),
            None => to_value(&observed)
                .map(Image::Value)
                .map_err(Failure::Misuse),
        }
    }

    fn wanted(&self, _: &Image) -> Result<Image, Failure> {
        Ok(Image::Value(self.want.clone()))
    }

    fn apply(
        &self,
        _: &dyn ActingFleet,
        _: &Image,
        after: &Image,
        _: &Cancel,
    ) -> Result<(), Failure> {
        let phase = Phase::Applying {
            key: self.key.clone(),
        };
        call(self.context, &self.apply, phase, vec![of_image(after)]).map(|_| ())
    }

    fn reversible(&self) -> Result<(), String> {
        if self.reversible {
            Ok(())
        } else {
            Err("the runbook says that it cannot be put back".into())
        }
    }

    fn affects(&self) -> Affects {
        self.affects.clone()
    }
}

/// The state that `apply` is to reach.
fn of_image(image: &Image) -> Dynamic {
    match image {
        Image::Value(value) => to_dynamic(value),
        _ => Dynamic::UNIT,
    }
}

/// Registers the words.
pub fn register(engine: &mut Engine, session: &Arc<Session>) {
    let words = session.clone();
    engine.register_fn(
        "change",
        move |context: NativeCallContext, description: Map| change(&words, &context, description),
    );
    let words = session.clone();
    engine.register_fn(
        "on_undo",
        move |context: NativeCallContext,
              what: &str,
              action: FnPtr|
              -> Result<(), Box<EvalAltResult>> {
            let telling = Telling {
                word: "on_undo",
                text: what.to_owned(),
                rows: Value::Null,
            };
            let (_, key) = words.perform_as(&context, Target::Run, Action::Tell(&telling))?;
            words.keep_for_undo(&context, key, &action, None);
            Ok(())
        },
    );
}

fn change(
    session: &Session,
    context: &NativeCallContext,
    description: Map,
) -> Result<Dynamic, Box<EvalAltResult>> {
    let (change, target, undo) =
        described(context, description).map_err(|why| misuse(context, why))?;
    let (value, key) = session.perform_as(context, target, Action::Change(&change))?;
    session.keep_for_undo(
        context,
        key,
        undo.as_ref().unwrap_or(&change.apply),
        Some(&change.observe),
    );
    Ok(to_dynamic(&value))
}

type Described<'a> = (ScriptedChange<'a>, Target, Option<FnPtr>);

fn described<'a>(
    context: &'a NativeCallContext<'a>,
    description: Map,
) -> Result<Described<'a>, String> {
    let mut options = Options::of("change", description);
    let target = match options.take("target") {
        None => Target::Run,
        Some(target) => match target.read_lock::<Host>() {
            Some(host) => host.target(),
            None => {
                return Err(format!(
                    "change: `target` is a host, not {}",
                    in_words(&target)
                ));
            }
        },
    };
    let what = options
        .text("what")?
        .ok_or("change needs `what`: in words, what it changes")?;
    let summary = options.text("summary")?;
    let want = options
        .take("want")
        .ok_or("change needs `want`: the state that is wanted")?;
    let mut closure = |name| -> Result<Option<FnPtr>, String> {
        let Some(value) = options.take(name) else {
            return Ok(None);
        };
        let kind = in_words(&value);
        value
            .try_cast::<FnPtr>()
            .map(|closure| Some(detached(&closure)))
            .ok_or(format!("change: `{name}` is a closure, not {kind}"))
    };
    let observe = closure("observe")?.ok_or("change needs `observe: || …`: the state as it is")?;
    let apply = closure("apply")?.ok_or("change needs `apply: |to| …`: how to get to a state")?;
    let undo = closure("undo")?;
    let reversible = options.flag("reversible")?.unwrap_or(true);
    let affects = affects(options.take("affects"))?;
    options.end()?;
    if let Some(unknown) = unknown::inside(&want) {
        return Err(format!(
            "change: `want` is not known before the run ({})",
            unknown.because
        ));
    }
    let change = ScriptedChange {
        context,
        // The key of a change is the next of its scope; `apply` needs it to name the commands that it runs.
        key: scope::current().peek_operation(),
        reversible,
        want: to_value(&want).map_err(|why| format!("change: `want`: {why}"))?,
        what,
        summary,
        observe,
        apply,
        affects,
    };
    Ok((change, target, undo))
}

/// A kept closure with the interpreter that it belongs to.
pub struct BoundUndo<'a> {
    /// The closures.
    pub action: UndoAction,
    /// The interpreter of the session that undoes.
    pub engine: &'a Engine,
}

impl BoundUndo<'_> {
    /// Calls the closure of `on_undo`: its words are operations of their own.
    pub fn perform(&self) -> Result<(), Failure> {
        self.call(&self.action.action, Phase::Operations, Vec::new())
            .map(|_| ())
    }

    #[allow(deprecated)] // the interpreter's only way to use a kept call context; volatile, so the version is pinned
    fn call(
        &self,
        closure: &FnPtr,
        phase: Phase,
        arguments: Vec<Dynamic>,
    ) -> Result<Dynamic, Failure> {
        call(
            &self.action.context.create_context(self.engine),
            closure,
            phase,
            arguments,
        )
    }
}

impl ScriptedUndo for BoundUndo<'_> {
    fn observe(&self) -> Result<Option<Image>, Failure> {
        let Some(observe) = &self.action.observe else {
            return Ok(None);
        };
        let observed = self.call(observe, Phase::Looking { of: "`observe`" }, Vec::new())?;
        match unknown::inside(&observed) {
            Some(unknown) => Err(Failure::PlanEnds(unknown)),
            None => to_value(&observed)
                .map(|value| Some(Image::Value(value)))
                .map_err(Failure::Misuse),
        }
    }

    fn apply(&self, key: &OperationKey, to: &Image) -> Result<(), Failure> {
        self.call(
            &self.action.action,
            Phase::Applying { key: key.clone() },
            vec![of_image(to)],
        )
        .map(|_| ())
    }
}
