//! The syntax of a lab's texts: `program "name" |host, args| { … }`, `on_restart "unit" |host| { … }` and the like.

use std::sync::{Arc, Mutex, PoisonError};

use rhai::{Dynamic, Engine, EvalAltResult, FnPtr};

use super::Hook;

/// What was registered since somebody looked.
#[derive(Clone, Default)]
pub struct Registered(Arc<Mutex<Vec<(Hook, FnPtr)>>>);

impl Registered {
    /// Takes it.
    pub fn take(&self) -> Vec<(Hook, FnPtr)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

type MakesHook = fn(String) -> Hook;

const WORDS: [(&str, MakesHook); 6] = [
    ("program", Hook::Program),
    ("on_restart", Hook::Starts),
    ("on_beginning", Hook::Beginning),
    ("on_stop", Hook::Stops),
    ("on_reload", Hook::Reloads),
    ("on_event", Hook::Event),
];

/// Makes the words known.
pub fn register(engine: &mut Engine, registered: &Registered) {
    for (word, hook) in WORDS {
        let registered = registered.clone();
        engine
            .register_custom_syntax(
                [word, "$string$", "$expr$"],
                false,
                move |context, inputs| {
                    let name = inputs[0].get_string_value().unwrap_or_default().to_owned();
                    let value = context.eval_expression_tree(&inputs[1])?;
                    let kind = value.type_name();
                    let closure = value.try_cast::<FnPtr>().ok_or_else(|| {
                        Box::new(EvalAltResult::ErrorRuntime(
                            format!("{word} {name:?} takes a closure such as |host| {{ … }}, not a {kind}").into(),
                            inputs[1].position(),
                        ))
                    })?;
                    let mut all = registered.0.lock().unwrap_or_else(PoisonError::into_inner);
                    all.push((hook(name), closure));
                    Ok(Dynamic::UNIT)
                },
            )
            .expect("the symbols of our own syntax are valid identifiers");
    }
}
