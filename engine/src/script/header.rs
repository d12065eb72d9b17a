//! The header of a runbook: `runbook #{ title, params }`. Read from the parsed script without running it.

use rhai::{AST, ASTNode, Dynamic, Expr};

use crate::model::{SourcePosition, Value};

use super::convert;
use super::parameters::{ParameterSpec, SpecError};

/// What a runbook says of itself.
#[derive(Clone, Debug)]
pub struct Header {
    /// The title.
    pub title: String,
    /// The parameters, by name.
    pub parameters: Vec<ParameterSpec>,
    /// The `//!` comments at its top.
    pub description: String,
    /// Where the header stands.
    pub position: (u32, u32),
}

/// Why a header cannot be used.
#[derive(Clone, Debug)]
pub struct HeaderError {
    /// Where.
    pub position: Option<(u32, u32)>,
    /// How many characters of it are meant.
    pub length: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

const KEYS: [&str; 2] = ["title", "params"];

const EXAMPLE: &str =
    "runbook #{ title: \"What it does\", params: #{ name: #{ default: \"x\", help: \"…\" } } };";

impl Header {
    /// Reads the header of a parsed script.
    pub fn read(ast: &AST) -> Result<Self, HeaderError> {
        let mut headers = Vec::new();
        ast.walk(&mut |path| {
            if let Some(ASTNode::Expr(Expr::Custom(custom, position))) = path.last()
                && custom
                    .tokens
                    .first()
                    .is_some_and(|token| token == "runbook")
            {
                let argument = custom.inputs.first().cloned();
                headers.push((argument, *position));
            }
            true
        });
        let at = |position: rhai::Position| {
            position
                .line()
                .map(|line| (line as u32, position.position().unwrap_or(1) as u32))
        };
        let error = |position, message: String| HeaderError {
            position,
            length: "runbook".len(),
            message,
            help: Some(EXAMPLE.into()),
        };
        let mut headers = headers.into_iter();
        let Some((argument, position)) = headers.next() else {
            return Err(error(None, "the runbook has no header".into()));
        };
        if let Some((_, second)) = headers.next() {
            return Err(error(
                at(second),
                "a runbook has one header, and this is a second".into(),
            ));
        }
        let place = at(position);
        let expression = argument.ok_or_else(|| error(place, "the header is empty".into()))?;
        let literal: Dynamic = expression.get_literal_value(None).ok_or_else(|| {
            error(
                place,
                "the header must be a literal map: it is read before the script runs".into(),
            )
        })?;
        let value = convert::to_value(&literal)
            .map_err(|why| error(place, format!("the header: {why}")))?;
        Self::from_value(&value, ast.doc(), place).map_err(|wrong| {
            let found = place_of(&expression, &wrong.path);
            let mut error = error(place, wrong.message);
            if let Some((position, length)) = found {
                (error.position, error.length) = (at(position), length);
            }
            error
        })
    }

    fn from_value(value: &Value, doc: &str, place: Option<(u32, u32)>) -> Result<Self, SpecError> {
        let wrong = |path: &[&str], message: String| SpecError {
            message,
            path: path.iter().map(|key| (*key).to_owned()).collect(),
        };
        let Value::Map(entries) = value else {
            return Err(wrong(
                &[],
                "the header must be a map: `runbook #{ … };`".into(),
            ));
        };
        if let Some(stranger) = entries.keys().find(|key| !KEYS.contains(&key.as_str())) {
            let near = crate::text::suggest::closest(stranger, KEYS);
            let near = near
                .map(|near| format!("; did you mean `{near}`?"))
                .unwrap_or_default();
            let message = format!("the header has no key `{stranger}`{near}");
            return Err(wrong(&[stranger], message));
        }
        let title = match value.get("title").and_then(Value::as_text) {
            Some(title) if !title.trim().is_empty() => title.to_owned(),
            _ => {
                return Err(wrong(
                    &["title"],
                    "the header needs a `title`: a text".into(),
                ));
            }
        };
        let parameters = match value.get("params") {
            None => Vec::new(),
            Some(params) => super::parameters::specs(params)?,
        };
        let description = doc
            .lines()
            .map(|line| line.trim_start().trim_start_matches("//!"))
            .map(|line| line.strip_prefix(' ').unwrap_or(line))
            .collect::<Vec<_>>()
            .join("\n");
        Ok(Self {
            title,
            parameters,
            description,
            position: place.unwrap_or((1, 1)),
        })
    }

    /// Where the description of a parameter stands in the parsed script.
    pub fn parameter_place(&self, ast: &AST, name: &str) -> rhai::Position {
        let mut found = rhai::Position::NONE;
        ast.walk(&mut |path| {
            if let Some(ASTNode::Expr(Expr::Custom(custom, _))) = path.last()
                && custom
                    .tokens
                    .first()
                    .is_some_and(|token| token == "runbook")
                && let Some(argument) = custom.inputs.first()
            {
                let path = ["params".to_owned(), name.to_owned()];
                found = place_of(argument, &path).map_or(found, |(position, _)| position);
            }
            true
        });
        found
    }

    /// The header's place as a source position.
    pub fn place(&self, file: &str) -> SourcePosition {
        SourcePosition {
            file: file.to_owned(),
            line: self.position.0,
            column: self.position.1,
        }
    }
}

/// Where the key stands to which the path leads, or as far as it leads, and how long it is.
fn place_of(expression: &Expr, path: &[String]) -> Option<(rhai::Position, usize)> {
    let (key, rest) = path.split_first()?;
    let Expr::Map(entries, _) = expression else {
        return None;
    };
    let (name, value) = entries.0.iter().find(|(name, _)| name.name == *key)?;
    place_of(value, rest).or(Some((name.pos, key.chars().count())))
}
