//! The words with which Rhai texts speak of a lab: a lab's own behaviour, and the tests of runbooks.

mod convert;
mod host;
mod link;
mod node;
mod service;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeSet;
use std::sync::Arc;

use rhai::{Engine, EvalAltResult};

pub use convert::{to_dynamic, to_json};

use super::program::Access;
use super::world::{Place, World};

/// What stands behind the words: a world that can be worked on, for the time of one word.
pub trait WorldAccess: Send + Sync {
    /// Works on the world in one transaction; the error says why there is none.
    fn work(&self, work: &mut dyn FnMut(&mut World)) -> Result<(), String>;
}

/// A host or a pod of a lab, as scripts hold it.
#[derive(Clone)]
pub struct LabHost {
    world: Arc<dyn WorldAccess>,
    place: Place,
    access: Access,
}

/// What a word gives.
pub type Said<T> = Result<T, Box<EvalAltResult>>;

impl LabHost {
    /// A place of a world. With [`Access::Look`] every word that would change something is refused.
    pub fn new(world: Arc<dyn WorldAccess>, place: Place, access: Access) -> Self {
        Self {
            world,
            place,
            access,
        }
    }

    /// Its name: of a pod `namespace/name`.
    pub fn name(&self) -> &str {
        match &self.place {
            Place::Host(name) | Place::Pod(name) => name,
        }
    }

    /// Works on the world of this place.
    fn with<T>(&self, work: impl FnOnce(&mut World) -> Result<T, String>) -> Said<T> {
        within(&*self.world, work)
    }

    /// The same, for words that change something.
    fn change<T>(&self, work: impl FnOnce(&mut World) -> Result<T, String>) -> Said<T> {
        if self.access == Access::Look {
            return Err("a probe only reads: give the command as run(…) instead (the lab refused to change anything)".into());
        }
        self.with(work)
    }
}

/// Works on a world and hands on what comes of it.
pub fn within<T>(
    access: &dyn WorldAccess,
    work: impl FnOnce(&mut World) -> Result<T, String>,
) -> Said<T> {
    let (mut work, mut came) = (Some(work), None);
    access.work(&mut |world| {
        if let Some(work) = work.take() {
            came = Some(work(world));
        }
    })?;
    match came {
        Some(Ok(value)) => Ok(value),
        Some(Err(why)) => Err(why.into()),
        None => Err("the lab's world was not there".into()),
    }
}

/// The names of the words that an interpreter knows beyond the language's own.
pub fn names(engine: &Engine) -> BTreeSet<String> {
    let signatures = engine.gen_fn_signatures(false);
    let name = |signature: &String| {
        signature
            .split('(')
            .next()
            .map(|name| name.trim().to_owned())
    };
    signatures.iter().filter_map(name).collect()
}

/// Nested calls of functions; each takes up to about 100 KB of stack.
const MAX_CALL_LEVELS: usize = 60;
/// Steps of the interpreter in one evaluation: some seconds of an endless loop.
const MAX_OPERATIONS: u64 = 10_000_000;

/// An interpreter with the words: strict, bounded, without a clock of its own.
pub fn engine() -> Engine {
    crate::text::closures::fix_names();
    let mut engine = Engine::new();
    engine.set_optimization_level(rhai::OptimizationLevel::None);
    engine.set_strict_variables(true);
    engine.set_fail_on_invalid_map_property(true);
    engine.set_max_call_levels(MAX_CALL_LEVELS);
    engine.set_max_expr_depths(64, 64);
    engine.set_max_operations(MAX_OPERATIONS);
    engine.set_max_string_size(16 << 20);
    engine.set_max_array_size(200_000);
    engine.set_max_map_size(200_000);
    engine.disable_symbol("eval");
    // stdout is the result's.
    engine.on_print(|text| eprintln!("{text}"));
    engine.on_debug(|text, _, place| eprintln!("{place}: {text}"));
    // Real time is not the lab's.
    engine.register_fn("sleep", |_: i64| -> Said<()> {
        Err("a lab's time is virtual: `sleep` would not move it".into())
    });
    engine.register_fn("timestamp", || -> Said<()> {
        Err("a lab's time is virtual: `timestamp` does not know it".into())
    });
    engine.register_type_with_name::<LabHost>("lab host");
    host::register(&mut engine);
    link::register(&mut engine);
    node::register(&mut engine);
    service::register(&mut engine);
    text::register(&mut engine);
    engine
}
