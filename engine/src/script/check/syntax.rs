//! Parsing, and what a syntax error means to the author.

use rhai::{AST, ASTNode, Engine, Expr, ParseErrorType, Stmt};

use super::super::engine::{REMOVED, bare};
use super::{Finding, Severity, codes};
use crate::model::SourcePosition;

/// Parses a text.
pub fn parse(engine: &Engine, name: &str, text: &str) -> Result<AST, Finding> {
    let mut ast = engine
        .compile(text)
        .map_err(|error| finding(name, text, &error))?;
    ast.set_source(name);
    Ok(ast)
}

fn finding(name: &str, text: &str, error: &rhai::ParseError) -> Finding {
    let position = error.position();
    let at = position.line().map_or_else(
        // At the end of the text: point behind its last line.
        || {
            (
                text.lines().count().max(1),
                text.lines()
                    .last()
                    .map_or(1, |line| line.chars().count() + 1),
            )
        },
        |line| (line, position.position().unwrap_or(1)),
    );
    let message = error.err_type().to_string();
    let word = word_at(text, at.0, at.1);
    let removed = REMOVED
        .iter()
        .find(|(symbol, _)| word.as_deref() == Some(symbol));
    let (code, message, help) = match (removed, error.err_type()) {
        (Some((symbol, why)), _) => (
            codes::NOT_IN_LANGUAGE,
            format!("`{symbol}` is not part of the language"),
            Some((*why).to_owned()),
        ),
        (None, ParseErrorType::VariableUndefined(variable)) => (
            codes::UNKNOWN_VARIABLE,
            format!("there is no variable `{variable}` here"),
            variable_help(variable),
        ),
        (None, ParseErrorType::ModuleUndefined(module)) => (
            codes::UNKNOWN_MODULE,
            format!("there is no module `{module}` here"),
            Some(format!(
                "import it at the top: import \"std/{module}\" as {module};"
            )),
        ),
        (None, ParseErrorType::MissingToken(token, _)) => (
            codes::SYNTAX,
            message,
            Some(format!("a `{token}` is missing here")),
        ),
        _ => (codes::SYNTAX, message, None),
    };
    Finding {
        severity: Severity::Error,
        code,
        message,
        position: Some(SourcePosition {
            file: name.to_owned(),
            line: at.0 as u32,
            column: at.1 as u32,
        }),
        length: word.map_or(1, |word| word.chars().count()),
        help,
    }
}

fn variable_help(variable: &str) -> Option<String> {
    match variable {
        "params" | "param" => Some("parameters are read with param(\"name\")".into()),
        "hosts" | "host" => Some("hosts are read with hosts(\"group\") and host(\"name\")".into()),
        _ => Some("functions do not see the script's variables: pass it as an argument; or is it misspelt?".into()),
    }
}

/// The identifier that begins at a place.
pub fn word_at(text: &str, line: usize, column: usize) -> Option<String> {
    let line = text.lines().nth(line.checked_sub(1)?)?;
    let word: String = line
        .chars()
        .skip(column.checked_sub(1)?)
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    (!word.is_empty()).then_some(word)
}

/// The modules that a text imports, with the place of each import. Nothing for a text that does not parse.
pub fn imports_of(name: &str, text: &str) -> Vec<(String, SourcePosition)> {
    let Ok(ast) = bare().compile(text) else {
        return Vec::new();
    };
    let mut imports = Vec::new();
    ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, _))) = path.last()
            && let Expr::StringConstant(module, position) = &import.0
        {
            let at = SourcePosition {
                file: name.to_owned(),
                line: position.line().unwrap_or(1) as u32,
                column: position.position().unwrap_or(1) as u32,
            };
            imports.push((module.to_string(), at));
        }
        true
    });
    imports
}
