//! ``sh `…` ``: an interpolated text for a shell in which every value is quoted. It is syntax, so that it sees the
//! segments before they are joined.

use rhai::{Dynamic, EvalAltResult, EvalContext, Expr, Expression, ImmutableString};

use super::super::failure;
use crate::model::Unknown;
use crate::operation::Failure;

/// A text that `raw(…)` marked as shell code.
#[derive(Clone, Debug)]
pub struct Raw(pub String);

/// Evaluates ``sh `…` ``.
pub fn quoted(
    context: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
    inputs: &[Expression<'_>],
) -> Result<Dynamic, Box<EvalAltResult>> {
    let expression: &Expr = &inputs[0];
    match expression {
        Expr::StringConstant(text, _) => Ok(text.clone().into()),
        Expr::InterpolatedString(segments, _) => {
            let mut joined = String::new();
            for segment in segments.iter() {
                if let Expr::StringConstant(literal, _) = segment {
                    joined.push_str(literal);
                    continue;
                }
                let value = context.eval_expression_tree(&Expression::from(segment))?;
                joined.push_str(&quote(&value).map_err(|why| misuse(why, segment.position()))?);
            }
            Ok(joined.into())
        }
        other => Err(misuse(
            "`sh` stands before a text in backticks: sh `systemctl restart ${unit}`",
            other.position(),
        )),
    }
}

fn misuse(why: impl Into<String>, position: rhai::Position) -> Box<EvalAltResult> {
    failure::raise(Failure::Misuse(why.into()), position)
}

/// One value as one shell word; an array as one word for each item.
pub fn quote(value: &Dynamic) -> Result<String, String> {
    if let Some(raw) = value.read_lock::<Raw>() {
        return Ok(raw.0.clone());
    }
    if let Some(unknown) = value.read_lock::<Unknown>() {
        return Ok(unknown.to_string());
    }
    if let Some(items) = value.read_lock::<rhai::Array>() {
        return items
            .iter()
            .map(quote)
            .collect::<Result<Vec<_>, _>>()
            .map(|words| words.join(" "));
    }
    let text = match value.read_lock::<ImmutableString>() {
        Some(text) => text.to_string(),
        None if value.is_unit() => {
            return Err("a value in a shell text is () (nothing); give a text".into());
        }
        None => super::super::convert::to_value(value)?.to_string(),
    };
    quote_text(&text)
}

/// A text as one shell word.
pub fn quote_text(text: &str) -> Result<String, String> {
    shlex::try_quote(text)
        .map(|quoted| quoted.into_owned())
        .map_err(|_| format!("a shell word cannot contain a NUL byte: {text:?}"))
}
