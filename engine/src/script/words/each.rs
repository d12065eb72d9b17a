//! `each(items, options, |item| …)`: sequential, parallel or rolling; one branch per item, result in item order.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rhai::{Array, Dynamic, Engine, EvalAltResult, FnPtr, ImmutableString, Map, NativeCallContext};

use super::super::engine::STACK;
use super::super::failure::{self, Stop};
use super::super::scope::{self, Phase, ScopeState};
use super::super::session::{Session, misuse};
use super::host::Host;
use super::options::Options;
use super::pod::Pod;
use crate::model::{ScopePath, Segment, Target, Unknown};
use crate::operation::{Failure, Report};
use crate::report::PlanNote;
use crate::script::convert::in_words;

type BranchResult = Result<Dynamic, Box<EvalAltResult>>;

/// Registers the word.
pub fn register(engine: &mut Engine, session: &Arc<Session>) {
    let words = session.clone();
    engine.register_fn(
        "each",
        move |context: NativeCallContext, items: Dynamic, body: FnPtr| {
            each(&words, &context, items, Map::new(), &body)
        },
    );
    let words = session.clone();
    engine.register_fn(
        "each",
        move |context: NativeCallContext, items: Dynamic, options: Map, body: FnPtr| {
            each(&words, &context, items, options, &body)
        },
    );
}

/// A closure whose captured variables are its own copies: captured ones are shared behind a lock that a method call
/// holds for its whole duration, so branches would wait for each other and then fail.
pub fn detached(closure: &FnPtr) -> FnPtr {
    let mut closure = closure.clone();
    for captured in closure.iter_curry_mut() {
        *captured = captured.flatten_clone();
    }
    closure
}

/// How the branches run.
struct Plan {
    /// How many at once.
    parallel: usize,
    /// How many go first, alone.
    canary: usize,
    /// After this many failures no further branch begins.
    stop_after: usize,
    /// How many failures are tolerated: their result is a map with `error`.
    max_failures: usize,
    /// Between two batches.
    pause: Duration,
}

fn plan(options: Map) -> Result<Plan, String> {
    let mut options = Options::of("each", options);
    let max_failures = options.count("max_failures")?.unwrap_or(0);
    let plan = Plan {
        parallel: options.count("parallel")?.unwrap_or(1).max(1),
        canary: options.count("canary")?.unwrap_or(0),
        stop_after: options
            .count("stop_after")?
            .unwrap_or(max_failures + 1)
            .max(1),
        max_failures,
        pause: options.duration("pause")?.unwrap_or_default(),
    };
    options.end()?;
    Ok(plan)
}

fn each(
    session: &Session,
    context: &NativeCallContext,
    items: Dynamic,
    options: Map,
    body: &FnPtr,
) -> Result<Dynamic, Box<EvalAltResult>> {
    if let Some(unknown) = items.read_lock::<Unknown>() {
        return Err(failure::raise(
            Failure::PlanEnds(unknown.clone()),
            context.call_position(),
        ));
    }
    let Some(items) = items.read_lock::<Array>().map(|items| items.clone()) else {
        return Err(misuse(
            context,
            format!("each goes through an array, not {}", in_words(&items)),
        ));
    };
    let mut plan = plan(options).map_err(|why| misuse(context, why))?;
    plan.parallel = session.executor().parallel(plan.parallel);
    if scope::phase() != Phase::Operations {
        return plain(context, &items, body);
    }
    let outer = scope::current();
    let nth = outer.next_each();
    let labels = labels(&items);
    session.executor().each_started(outer.path(), nth, &labels);
    let paths: Vec<ScopePath> = labels
        .into_iter()
        .map(|label| outer.path().join(Segment::Branch { nth, label }))
        .collect();
    let branches = Branches {
        session,
        context,
        items: &items,
        paths: &paths,
        body,
        plan: &plan,
    };
    let results = branches.run();
    gather(context, &paths, results, &plan)
}

/// Inside the closures of changes and waits there are no branches: the items in order.
fn plain(
    context: &NativeCallContext,
    items: &Array,
    body: &FnPtr,
) -> Result<Dynamic, Box<EvalAltResult>> {
    let body = detached(body);
    let results = items
        .iter()
        .map(|item| body.call_within_context::<Dynamic>(context, (item.flatten_clone(),)));
    results
        .collect::<Result<Array, _>>()
        .map(Dynamic::from_array)
}

/// A branch is named after its item where that has a name of its own, else by its index, so that a key means the
/// same item also when others come or go.
fn labels(items: &Array) -> Vec<String> {
    let names: Vec<Option<String>> = items.iter().map(name).collect();
    let mut often: HashMap<&String, usize> = HashMap::new();
    for name in names.iter().flatten() {
        *often.entry(name).or_default() += 1;
    }
    names
        .iter()
        .enumerate()
        .map(|(index, name)| match name {
            Some(name) if often[name] == 1 => name.clone(),
            _ => index.to_string(),
        })
        .collect()
}

fn name(item: &Dynamic) -> Option<String> {
    if let Some(host) = item.read_lock::<Host>() {
        return Some(host.to_string());
    }
    if let Some(pod) = item.read_lock::<Pod>() {
        return Some(pod.to_string());
    }
    if let Some(text) = item.read_lock::<ImmutableString>() {
        let short = !text.is_empty() && text.len() <= 80 && !text.contains(char::is_control);
        return short.then(|| text.to_string());
    }
    item.read_lock::<Map>()
        .and_then(|map| map.get("name").and_then(name))
}

struct Branches<'a> {
    session: &'a Session,
    context: &'a NativeCallContext<'a>,
    items: &'a Array,
    paths: &'a [ScopePath],
    body: &'a FnPtr,
    plan: &'a Plan,
}

impl Branches<'_> {
    /// One result per item; none for a branch that was not begun.
    fn run(&self) -> Vec<Option<BranchResult>> {
        let results: Mutex<Vec<Option<BranchResult>>> = Mutex::new(
            std::iter::repeat_with(|| None)
                .take(self.items.len())
                .collect(),
        );
        let failures = AtomicUsize::new(0);
        let mut begun = 0;
        while begun < self.items.len() {
            let alone = self.plan.canary.saturating_sub(begun);
            let paced = alone > 0 || !self.plan.pause.is_zero();
            let size = match alone {
                0 if paced => self.plan.parallel,
                0 => self.items.len(),
                canary => canary,
            };
            let end = self.items.len().min(begun + size);
            self.batch(begun..end, &results, &failures);
            begun = end;
            let enough = failures.load(Ordering::SeqCst) >= self.plan.stop_after;
            if enough
                || (begun < self.items.len() && !self.session.executor().pause(self.plan.pause))
            {
                break;
            }
        }
        results.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn batch(
        &self,
        range: std::ops::Range<usize>,
        results: &Mutex<Vec<Option<BranchResult>>>,
        failures: &AtomicUsize,
    ) {
        let next = AtomicUsize::new(range.start);
        let work = || {
            loop {
                if failures.load(Ordering::SeqCst) >= self.plan.stop_after {
                    return;
                }
                let index = next.fetch_add(1, Ordering::SeqCst);
                if index >= range.end {
                    return;
                }
                let result = self.branch(index);
                if result.is_err() {
                    failures.fetch_add(1, Ordering::SeqCst);
                }
                results.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(result);
            }
        };
        let workers = self.plan.parallel.min(range.len());
        if workers <= 1 {
            return work();
        }
        std::thread::scope(|threads| {
            for _ in 0..workers {
                let spawned = std::thread::Builder::new()
                    .stack_size(STACK)
                    .spawn_scoped(threads, work);
                if spawned.is_err() {
                    // No further thread to be had: this one does the work.
                    work();
                }
            }
        });
    }

    fn branch(&self, index: usize) -> BranchResult {
        let path = &self.paths[index];
        let executor = self.session.executor();
        executor.expect(&mut self.hosts_from(index));
        let _inside = scope::enter(ScopeState::at(path.clone()), Phase::Operations);
        executor.branch_started(path);
        let body = detached(self.body);
        let item = self.items[index].flatten_clone();
        let called = catch_unwind(AssertUnwindSafe(|| {
            body.call_within_context::<Dynamic>(self.context, (item,))
        }));
        let result = called.unwrap_or_else(|_| {
            let report =
                Report::new("the engine panicked in this branch; this is a defect of runbook");
            Err(failure::raise(
                Failure::Failed(report),
                self.context.call_position(),
            ))
        });
        let result = self.plan_end(path, result);
        executor.branch_ended(path, result.is_err());
        result
    }

    /// The hosts of this branch and of those after it.
    fn hosts_from(&self, index: usize) -> impl Iterator<Item = Target> {
        let hosts = self.items[index..].iter();
        hosts.filter_map(|item| item.read_lock::<Host>().map(|host| host.target()))
    }

    /// A branch whose plan ends at an unknown value has an unknown result; the others are planned on.
    fn plan_end(&self, path: &ScopePath, result: BranchResult) -> BranchResult {
        let error = match result {
            Err(error) => error,
            done => return done,
        };
        let Stop::Failure(Failure::PlanEnds(unknown)) = failure::understand(&error) else {
            return Err(error);
        };
        let note = PlanNote {
            scope: path.clone(),
            because: unknown.because.clone(),
            source: failure::place_in_script(&error, &self.session.parts.script),
        };
        match self.session.executor().plan_ended(note) {
            Ok(()) => Ok(Dynamic::from(unknown)),
            Err(failure) => Err(failure::raise(failure, self.context.call_position())),
        }
    }
}

/// The results in item order, or what the branches failed with.
fn gather(
    context: &NativeCallContext,
    paths: &[ScopePath],
    results: Vec<Option<BranchResult>>,
    plan: &Plan,
) -> Result<Dynamic, Box<EvalAltResult>> {
    let mut values = Array::new();
    let mut failed: Vec<(String, Box<EvalAltResult>)> = Vec::new();
    let mut not_begun = 0;
    for (path, result) in paths.iter().zip(results) {
        let label = path
            .branches()
            .last()
            .copied()
            .unwrap_or_default()
            .to_owned();
        match result {
            Some(Ok(value)) => values.push(value),
            Some(Err(error)) => {
                let mut tolerated = Map::new();
                tolerated.insert(
                    "error".into(),
                    failure::understand(&error).to_string().into(),
                );
                values.push(tolerated.into());
                failed.push((label, error));
            }
            None => {
                not_begun += 1;
                values.push(Dynamic::UNIT);
            }
        }
    }
    let tolerable = failed.iter().all(|(_, error)| {
        matches!(
            failure::understand(error),
            Stop::Failure(Failure::Failed(_) | Failure::Unreachable(_))
        )
    });
    if not_begun == 0 && tolerable && failed.len() <= plan.max_failures {
        return Ok(values.into());
    }
    // What a script cannot catch goes before what it can, so that nothing hides a poisoned journal or an open question.
    failed.sort_by_key(|(_, error)| urgency(&failure::understand(error)));
    if failed.is_empty() {
        return Err(failure::raise(
            Failure::Interrupted,
            context.call_position(),
        ));
    }
    let (_, first) = failed.swap_remove(0);
    if failed.is_empty() || !tolerable {
        return Err(first);
    }
    Err(with_others(first, &failed, context))
}

fn with_others(
    first: Box<EvalAltResult>,
    failed: &[(String, Box<EvalAltResult>)],
    context: &NativeCallContext,
) -> Box<EvalAltResult> {
    let stops: Vec<(&String, Stop)> = failed
        .iter()
        .map(|(label, error)| (label, failure::understand(error)))
        .collect();
    let others: Vec<String> = stops
        .iter()
        .map(|(label, stop)| format!("{label}: {stop}"))
        .collect();
    let extend = |mut report: Report| {
        for (_, stop) in &stops {
            if let Stop::Failure(Failure::Failed(other) | Failure::Unreachable(other)) = stop {
                report
                    .related
                    .extend(other.operation.iter().chain(&other.related).cloned());
            }
        }
        let more = format!(
            "{} more failed in the same each:\n{}",
            others.len(),
            others.join("\n")
        );
        report.detail = Some(
            report
                .detail
                .map_or(more.clone(), |detail| format!("{detail}\n{more}")),
        );
        report
    };
    match failure::understand(&first) {
        Stop::Failure(Failure::Failed(report)) => {
            failure::raise(Failure::Failed(extend(report)), place_of(&first, context))
        }
        Stop::Failure(Failure::Unreachable(report)) => failure::raise(
            Failure::Unreachable(extend(report)),
            place_of(&first, context),
        ),
        _ => first,
    }
}

fn place_of(error: &EvalAltResult, context: &NativeCallContext) -> rhai::Position {
    let place = error.position();
    if place.is_none() {
        context.call_position()
    } else {
        place
    }
}

fn urgency(stop: &Stop) -> u8 {
    match stop {
        Stop::Failure(Failure::Poisoned(_)) => 0,
        Stop::Failure(Failure::Diverged(_)) => 1,
        Stop::Failure(Failure::Interrupted) => 2,
        Stop::Failure(Failure::Undecided(_) | Failure::Lost(_)) => 3,
        Stop::Failure(Failure::Misuse(_)) => 4,
        Stop::Failure(Failure::Failed(_)) => 5,
        Stop::Failure(Failure::Unreachable(_)) => 6,
        Stop::Failure(Failure::PlanEnds(_)) | Stop::Finish(_) => 7,
    }
}
