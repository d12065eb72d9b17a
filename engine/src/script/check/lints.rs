//! Warnings: what is allowed and probably not meant.

use rhai::{ASTNode, Expr, FnCallExpr, Position, Stmt};

use super::{Finding, Severity, Unit, codes};

/// Looks through one text.
pub fn check(unit: &Unit<'_>, main: bool, findings: &mut Vec<Finding>) {
    if !main {
        let top = unit.ast.statements().iter();
        findings.extend(top.filter_map(|statement| module_statement(unit, statement)));
    }
    unit.ast.walk(&mut |path| {
        match path.last() {
            Some(ASTNode::Expr(Expr::MethodCall(call, _))) => findings.extend(unquoted(unit, call)),
            Some(ASTNode::Stmt(Stmt::Import(import, position))) => {
                findings.extend(computed_import(unit, &import.0, *position));
            }
            _ => {}
        }
        true
    });
}

/// An interpolated text that reaches a shell without `sh`: a value with a space or a quote becomes code.
fn unquoted(unit: &Unit<'_>, call: &FnCallExpr) -> Option<Finding> {
    if !matches!(call.name.as_str(), "run" | "probe") {
        return None;
    }
    let Some(Expr::InterpolatedString(_, position)) = call.args.first() else {
        return None;
    };
    Some(Finding {
        severity: Severity::Warning,
        code: codes::UNQUOTED_SHELL,
        message: format!(
            "the values in this text reach the shell of `{}` unquoted",
            call.name
        ),
        position: unit.at(*position),
        length: 1,
        help: Some(
            "write sh `…` before the text, which quotes every value, or give an array of words"
                .into(),
        ),
    })
}

/// A module is read when it is imported; only a runbook acts.
fn module_statement(unit: &Unit<'_>, statement: &Stmt) -> Option<Finding> {
    if matches!(
        statement,
        Stmt::Import(..) | Stmt::Export(..) | Stmt::Var(..) | Stmt::Noop(..)
    ) {
        return None;
    }
    Some(Finding {
        severity: Severity::Error,
        code: codes::MODULE_ACTS,
        message: "a module holds functions and constants; this would act when it is imported"
            .into(),
        position: unit.at(statement.position()),
        length: 1,
        help: Some("put it into a function and call it from a step".into()),
    })
}

fn computed_import(unit: &Unit<'_>, import: &Expr, position: Position) -> Option<Finding> {
    if matches!(import, Expr::StringConstant(..)) {
        return None;
    }
    Some(Finding {
        severity: Severity::Error,
        code: codes::COMPUTED_IMPORT,
        message: "the name of an imported module must be a literal text: it is read before the script runs".into(),
        position: unit.at(position),
        length: "import".len(),
        help: None,
    })
}
