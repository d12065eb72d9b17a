//! Resolves imports from the pinned texts and nothing else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rhai::{Engine, EvalAltResult, Module, Position, Scope, Shared};

use super::sources::SourceSet;

/// Compiles each module once per engine.
pub struct PinnedModules {
    sources: Arc<SourceSet>,
    compiled: Mutex<HashMap<String, Shared<Module>>>,
}

impl PinnedModules {
    /// A resolver over these texts.
    pub fn new(sources: Arc<SourceSet>) -> Self {
        Self {
            sources,
            compiled: Mutex::default(),
        }
    }
}

impl rhai::ModuleResolver for PinnedModules {
    fn resolve(
        &self,
        engine: &Engine,
        _source: Option<&str>,
        path: &str,
        position: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let compiled = || self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = compiled().get(path) {
            return Ok(module.clone());
        }
        let in_module = |inner: Box<EvalAltResult>| {
            Box::new(EvalAltResult::ErrorInModule(
                path.to_owned(),
                inner,
                position,
            ))
        };
        let text = self.sources.text(path).ok_or_else(|| {
            Box::new(EvalAltResult::ErrorModuleNotFound(
                path.to_owned(),
                position,
            ))
        })?;
        // The lock is not held here: a module may import others.
        let mut ast = engine
            .compile(text)
            .map_err(|error| in_module(error.into()))?;
        ast.set_source(path);
        let module = Module::eval_ast_as_new(Scope::new(), &ast, engine).map_err(in_module)?;
        let module = Shared::new(module);
        compiled().insert(path.to_owned(), module.clone());
        Ok(module)
    }
}
