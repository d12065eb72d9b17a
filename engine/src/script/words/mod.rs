//! The host words, one file a family. Each turns its arguments into an operation and hands it to the session.

mod ask;
mod assert;
mod change;
mod data;
mod each;
mod file;
mod host;
mod kube;
mod options;
mod pod;
mod program;
mod reference;
#[cfg(test)]
mod reference_tests;
mod run_pod;
mod shell;
mod step;
pub mod syntax;
mod tell;
mod wait;

pub use change::BoundUndo;
pub use each::detached;
pub use host::Host;
pub use pod::Pod;
pub use reference::{Class, WORDS};

use std::sync::Arc;

use rhai::Engine;

use super::session::Session;

/// Gives an engine every host word with nothing behind it: enough to know names and numbers of arguments.
pub fn register_signatures(engine: &mut Engine) {
    register(engine, &Session::for_checking());
}

/// Gives an engine every host word.
pub fn register(engine: &mut Engine, session: &Arc<Session>) {
    syntax::register(engine, Some(session.clone()));
    data::register(engine, session);
    host::register(engine, session);
    pod::register(engine, session);
    file::register(engine, session);
    change::register(engine, session);
    kube::register(engine, session);
    run_pod::register(engine, session);
    wait::register(engine, session);
    ask::register(engine, session);
    assert::register(engine, session);
    tell::register(engine, session);
    each::register(engine, session);
}
