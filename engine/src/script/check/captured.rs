//! A branch of `each` works on its own copies of the variables around it: branches may run side by side. What it
//! assigns to them is lost when it ends, which is rarely meant.

use rhai::{AST, ASTNode, Expr, FnCallExpr, FnPtr, Position, Stmt};

use super::{Finding, Severity, Unit, codes};

/// Functions that change the list, map or text that they are called on.
const CHANGING: &[&str] = &[
    "push",
    "append",
    "insert",
    "pop",
    "shift",
    "remove",
    "clear",
    "truncate",
    "retain",
    "drain",
    "sort",
    "reverse",
    "mixin",
    "fill_with",
    "set",
    "crop",
    "replace",
    "trim",
    "dedup",
    "chop",
    "extract",
    "splice",
    "pad",
];

/// Looks through the blocks of one text's `each` calls.
pub fn check(unit: &Unit<'_>, findings: &mut Vec<Finding>) {
    unit.ast.walk(&mut |path| {
        let call = match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _))) => call,
            Some(ASTNode::Stmt(Stmt::FnCall(call, _))) => call,
            _ => return true,
        };
        if call.name == "each" {
            for block in call.args.iter().filter_map(closure) {
                in_block(unit, &block, findings);
            }
        }
        true
    });
}

/// A closure with the variables that it captures.
struct Closure {
    name: String,
    captured: Vec<String>,
}

/// The interpreter writes a closure as a block that shares the captured variables and then binds them with `curry`.
fn closure(argument: &Expr) -> Option<Closure> {
    let Expr::Stmt(block) = argument else {
        return None;
    };
    let Some(Stmt::Expr(bound)) = block.statements().last() else {
        return None;
    };
    let Expr::FnCall(curry, _) = &**bound else {
        return None;
    };
    let (function, captured) = curry.args.split_first()?;
    let Expr::DynamicConstant(function, _) = function else {
        return None;
    };
    Some(Closure {
        name: function.read_lock::<FnPtr>()?.fn_name().to_owned(),
        captured: captured
            .iter()
            .filter_map(|variable| name_of(variable).map(str::to_owned))
            .collect(),
    })
}

fn in_block(unit: &Unit<'_>, closure: &Closure, findings: &mut Vec<Finding>) {
    // `clone_functions_only_filtered` does not filter (1.27); retaining does.
    let mut body: AST = unit.ast.clone();
    body.clear_statements();
    body.retain_functions(|_, _, name, _| name == closure.name);
    let mut own: Vec<String> = Vec::new();
    body.walk(&mut |path| {
        match path.last() {
            // Its own variable of the same name hides the outer one from here on.
            Some(ASTNode::Stmt(Stmt::Var(variable, ..))) => own.push(variable.0.name.to_string()),
            Some(ASTNode::Stmt(Stmt::Assignment(parts))) => {
                findings.extend(
                    outer(&parts.1.lhs, closure, &own)
                        .map(|place| finding(unit, place, "assigns to")),
                );
            }
            Some(ASTNode::Expr(Expr::Dot(parts, ..))) => {
                if let Expr::MethodCall(call, _) = &parts.rhs
                    && changes(call)
                {
                    findings.extend(
                        outer(&parts.lhs, closure, &own)
                            .map(|place| finding(unit, place, "changes")),
                    );
                }
            }
            _ => {}
        }
        true
    });
}

fn changes(call: &FnCallExpr) -> bool {
    CHANGING.contains(&call.name.as_str())
}

fn name_of(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Variable(variable, ..) => Some(variable.1.as_str()),
        _ => None,
    }
}

/// The captured variable that an expression is, or is a part of.
fn outer<'a>(
    expression: &'a Expr,
    closure: &Closure,
    own: &[String],
) -> Option<(&'a str, Position)> {
    match expression {
        Expr::Dot(parts, ..) | Expr::Index(parts, ..) => outer(&parts.lhs, closure, own),
        Expr::Variable(..) => {
            let name = name_of(expression)?;
            let captured = closure.captured.iter().any(|other| other == name);
            (captured && !own.iter().any(|other| other == name))
                .then(|| (name, expression.position()))
        }
        _ => None,
    }
}

fn finding(unit: &Unit<'_>, (name, position): (&str, Position), does: &str) -> Finding {
    Finding {
        severity: Severity::Warning,
        code: codes::CAPTURED_VARIABLE,
        message: format!(
            "this {does} `{name}`, but each branch has its own copy of it, which is gone when the branch ends"
        ),
        position: unit.at(position),
        length: name.chars().count(),
        help: Some(
            "let the branch give the value back: each() gives the list of what its branches gave"
                .into(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<u32> {
        let engine = crate::script::engine::for_checking();
        let ast = super::super::syntax::parse(&engine, "t.rhai", text).unwrap();
        let unit = Unit {
            name: "t.rhai",
            ast,
        };
        let mut findings = Vec::new();
        check(&unit, &mut findings);
        findings
            .iter()
            .map(|finding| finding.position.as_ref().unwrap().line)
            .collect()
    }

    #[test]
    fn what_a_branch_does_to_outer_variables_is_found() {
        let text = "let bad = []; let n = 0; let m = #{};\neach([1, 2], |x| {\nbad.push(x);\nn += 1;\nm.a = 1;\nm[\"b\"] = 2;\nn = x;\n});";
        assert_eq!(lines(text), [3, 4, 5, 6, 7]);
    }

    #[test]
    fn reading_and_own_variables_are_fine() {
        let text = "let outer = [1]; let found = each([1, 2], |x| {\nlet mine = [];\nmine.push(outer[0]);\nlet outer = [];\nouter.push(1);\nmine\n});\nouter.push(2);\nlet f = |y| { outer.push(y); };";
        assert!(lines(text).is_empty(), "{:?}", lines(text));
    }

    #[test]
    fn a_block_in_a_step_of_a_branch_counts_too() {
        let text =
            "let bad = [];\neach([1], #{ parallel: 2 }, |x| { step \"s\" {\nbad.push(x);\n} });";
        assert_eq!(lines(text), [3]);
    }
}
