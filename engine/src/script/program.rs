//! A runbook made ready to run: parsed from its pinned texts, evaluated on a thread with a stack of its own size.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rhai::{AST, Engine, Scope};

use super::engine::{STACK, engine};
use super::failure::{self, ScriptEnd, Stop};
use super::scope::{self, Phase, ScopeState};
use super::session::Session;
use super::sources::SourceSet;
use crate::model::ScopePath;
use crate::operation::{Failure, Report};
use crate::report::PlanNote;

/// A runbook over its texts, with the words of one session.
pub struct Program {
    engine: Engine,
    ast: AST,
    main: String,
    session: Arc<Session>,
}

impl Program {
    /// Parses the script. Its texts were checked before, so an error here is one of the interpreter's limits.
    pub fn new(
        sources: Arc<SourceSet>,
        session: Arc<Session>,
        dry_run: bool,
    ) -> Result<Self, Report> {
        let main = sources.main.clone();
        let engine = engine(sources.clone(), &session, dry_run);
        let mut ast = engine
            .compile(sources.main_text())
            .map_err(|error| Report::new(error.to_string()))?;
        ast.set_source(main.as_str());
        Ok(Self {
            engine,
            ast,
            main,
            session,
        })
    }

    /// The interpreter, for closures that were kept.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Evaluates the script from its top.
    pub fn evaluate(&self) -> ScriptEnd {
        let _top = scope::enter(ScopeState::at(ScopePath::default()), Phase::Operations);
        let evaluated = catch_unwind(AssertUnwindSafe(|| {
            self.engine.run_ast_with_scope(&mut Scope::new(), &self.ast)
        }));
        let error = match evaluated {
            Ok(Ok(())) => return ScriptEnd::Done,
            Ok(Err(error)) => error,
            Err(_) => {
                let report = Report::new(
                    "the engine panicked; this is a defect of runbook, the run can be resumed",
                );
                return ScriptEnd::Failed(Box::new(Failure::Failed(report)), Vec::new());
            }
        };
        let mut places = failure::places(&error, &self.main);
        if let Some(place) = places.first_mut() {
            place.within = self.session.left(&place.position);
        }
        match failure::understand(&error) {
            Stop::Finish(reason) => ScriptEnd::Finished(reason),
            Stop::Failure(Failure::PlanEnds(unknown)) => {
                let note = PlanNote {
                    scope: ScopePath::default(),
                    because: unknown.because,
                    source: failure::place_in_script(&error, &self.main),
                };
                match self.session.executor().plan_ended(note) {
                    Ok(()) => ScriptEnd::Done,
                    Err(failure) => ScriptEnd::Failed(Box::new(failure), places),
                }
            }
            Stop::Failure(failure) => ScriptEnd::Failed(Box::new(failure), places),
        }
    }

    /// Evaluates something in the scope of an undo.
    pub fn within<T>(&self, path: ScopePath, work: impl FnOnce() -> T) -> T {
        let _inside = scope::enter(ScopeState::at(path), Phase::Operations);
        work()
    }
}

/// Runs work that evaluates scripts on a thread whose stack is large enough for the deepest recursion allowed.
pub fn on_script_thread<T: Send>(work: impl FnOnce() -> T + Send) -> std::io::Result<T> {
    std::thread::scope(|threads| {
        let thread = std::thread::Builder::new()
            .name("runbook".into())
            .stack_size(STACK)
            .spawn_scoped(threads, work)?;
        thread
            .join()
            .map_err(|_| std::io::Error::other("the script's thread panicked"))
    })
}
