//! Warnings: what is allowed and probably not meant.

use rhai::{ASTNode, Expr, FnCallExpr, Position, Stmt};

use super::{Finding, Severity, Unit};

/// Looks through one text.
pub fn check(unit: &Unit<'_>, main: bool, findings: &mut Vec<Finding>) {
    unit.ast.walk(&mut |path| {
        match path.last() {
            Some(ASTNode::Expr(Expr::MethodCall(call, _))) => findings.extend(unquoted(unit, call)),
            Some(ASTNode::Stmt(statement)) if !main && path.len() == 1 => {
                findings.extend(module_statement(unit, statement));
            }
            Some(ASTNode::Stmt(Stmt::Import(import, position))) => {
                findings.extend(computed_import(unit, &import.0, *position));
            }
            Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) => {
                lost_assignments(unit, call, findings);
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
    let Some(Expr::InterpolatedString(_, position)) = call.args.first() else { return None };
    Some(Finding {
        severity: Severity::Warning,
        code: "unquoted-shell",
        message: format!("the values in this text reach the shell of `{}` unquoted", call.name),
        position: unit.at(*position),
        length: 1,
        help: Some("write sh `…` before the text, which quotes every value, or give an array of words".into()),
    })
}

/// A module is read when it is imported; only a runbook acts.
fn module_statement(unit: &Unit<'_>, statement: &Stmt) -> Option<Finding> {
    if matches!(statement, Stmt::Import(..) | Stmt::Export(..) | Stmt::Var(..) | Stmt::Noop(..)) {
        return None;
    }
    Some(Finding {
        severity: Severity::Error,
        code: "module-acts",
        message: "a module holds functions and constants; this would act when it is imported".into(),
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
        code: "computed-import",
        message: "the name of an imported module must be a literal text: it is read before the script runs".into(),
        position: unit.at(position),
        length: "import".len(),
        help: None,
    })
}

/// An assignment to a captured variable inside the closure of `each` stays in that branch.
fn lost_assignments(unit: &Unit<'_>, call: &FnCallExpr, findings: &mut Vec<Finding>) {
    if call.name != "each" {
        return;
    }
    let Some(body) = call.args.last() else { return };
    let closure = format!("{body:?}");
    for function in unit.ast.iter_fn_def() {
        if !function.name.starts_with("anon$") || !closure.contains(function.name.as_str()) {
            continue;
        }
        let captured = function.params.len().saturating_sub(1);
        let outer: Vec<&str> = function.params[..captured].iter().map(|name| name.as_str()).collect();
        let rhai::ScriptFuncPayload::Statements(body) = &function.body;
        for statement in body.statements() {
            statement.walk(&mut Vec::new(), &mut |path| {
                if let Some(ASTNode::Stmt(Stmt::Assignment(assignment))) = path.last()
                    && let Some((name, position)) = assigned(&assignment.1.lhs)
                    && outer.contains(&name.as_str())
                {
                    findings.push(lost(unit, &name, position));
                }
                true
            });
        }
    }
}

fn assigned(target: &Expr) -> Option<(String, Position)> {
    match target {
        Expr::Variable(variable, _, position) => Some((variable.1.to_string(), *position)),
        Expr::Dot(chain, ..) | Expr::Index(chain, ..) => assigned(&chain.lhs),
        _ => None,
    }
}

fn lost(unit: &Unit<'_>, name: &str, position: Position) -> Finding {
    Finding {
        severity: Severity::Warning,
        code: "lost-assignment",
        message: format!("`{name}` is a copy inside each branch: what is assigned here is lost after it"),
        position: unit.at(position),
        length: name.chars().count(),
        help: Some("return the value from the closure; each gives the results in order".into()),
    }
}
