//! `step "title" { … }`: a named block, the unit of progress. Its value is the block's value.

use crate::script::convert::in_words;
use rhai::{Dynamic, EvalAltResult, EvalContext, Expression, ImmutableString};

use super::super::failure::{self, Stop};
use super::super::scope::{self, Phase, ScopeState};
use super::super::session::Session;
use crate::executor::AfterFailure;
use crate::journal::StepStatus;
use crate::model::{ScopePath, Unknown};
use crate::operation::Failure;
use crate::report::PlanNote;

type Evaluated = Result<Dynamic, Box<EvalAltResult>>;

/// Runs a step.
pub fn step(
    session: &Session,
    context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
    inputs: &[Expression<'_>],
) -> Evaluated {
    let position = inputs[0].position();
    let title = context.eval_expression_tree(&inputs[0])?;
    let Some(title) = title
        .read_lock::<ImmutableString>()
        .map(|title| title.to_string())
    else {
        let message = format!("a step's title is a text, not {}", in_words(&title));
        return Err(failure::raise(Failure::Misuse(message), position));
    };
    if scope::phase() != Phase::Operations {
        let message = "a step does not belong into the closure of a change or a wait".to_owned();
        return Err(failure::raise(Failure::Misuse(message), position));
    }
    let path = scope::current().next_step(&title);
    let place = session.place(context.source(), position);
    let raise = |failure| failure::raise(failure, position);
    loop {
        session
            .executor()
            .step_started(&path, place.as_ref())
            .map_err(raise)?;
        let result = {
            let _inside = scope::enter(ScopeState::at(path.clone()), Phase::Operations);
            context.eval_expression_tree(&inputs[1])
        };
        let error = match result {
            Ok(value) => {
                session
                    .executor()
                    .step_ended(&path, StepStatus::Done)
                    .map_err(raise)?;
                return Ok(value);
            }
            Err(error) => error,
        };
        match after(session, &path, &error).map_err(raise)? {
            After::PassOn(status) => {
                let places = failure::places(&error, &session.parts.script);
                session.leaves(&path, places.first().map(|place| place.position.clone()));
                session
                    .executor()
                    .step_ended(&path, status)
                    .map_err(raise)?;
                return Err(error);
            }
            After::PlanEnds(unknown) => {
                let source = failure::place_in_script(&error, &session.parts.script)
                    .or_else(|| place.clone());
                let note = PlanNote {
                    scope: path.clone(),
                    because: unknown.because.clone(),
                    source,
                };
                session.executor().plan_ended(note).map_err(raise)?;
                session
                    .executor()
                    .step_ended(&path, StepStatus::Done)
                    .map_err(raise)?;
                return Ok(Dynamic::from(unknown));
            }
            After::Skip => {
                session
                    .executor()
                    .step_ended(&path, StepStatus::Skipped)
                    .map_err(raise)?;
                return Ok(Dynamic::UNIT);
            }
            After::Again => {}
        }
    }
}

enum After {
    PassOn(StepStatus),
    PlanEnds(Unknown),
    Skip,
    Again,
}

fn after(session: &Session, path: &ScopePath, error: &EvalAltResult) -> Result<After, Failure> {
    if matches!(
        error,
        EvalAltResult::Return(..) | EvalAltResult::LoopBreak(..)
    ) {
        // `return`, `break` and `continue` leave the step on purpose.
        return Ok(After::PassOn(StepStatus::Done));
    }
    let failure = match failure::understand(error) {
        Stop::Finish(_) => return Ok(After::PassOn(StepStatus::Done)),
        Stop::Failure(failure) => failure,
    };
    Ok(match failure {
        Failure::PlanEnds(unknown) => After::PlanEnds(unknown),
        Failure::Failed(_) | Failure::Unreachable(_) => {
            match session.executor().step_failed(path, &failure)? {
                AfterFailure::Stop => After::PassOn(StepStatus::Failed),
                AfterFailure::Skip => After::Skip,
                AfterFailure::Retry => After::Again,
            }
        }
        Failure::Misuse(_) => After::PassOn(StepStatus::Failed),
        _ => After::PassOn(StepStatus::Stopped),
    })
}
