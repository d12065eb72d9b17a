//! Calls: unknown functions, wrong numbers of arguments, unknown parameters and hosts.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTNode, Engine, Expr, FnCallExpr, Position, Stmt};

use super::super::engine::CLOCKS;
use super::{Finding, Header, Names, Severity, Unit, codes};
use crate::text::suggest;

/// Functions by name, with the numbers of arguments that they take.
type Functions = BTreeMap<String, BTreeSet<usize>>;

/// Keywords of Rhai that look like calls.
const KEYWORDS: &[&str] = &[
    "Fn",
    "call",
    "curry",
    "is_shared",
    "is_def_fn",
    "is_def_var",
    "type_of",
    "print",
    "debug",
];

struct Call<'a> {
    call: &'a FnCallExpr,
    method: bool,
    position: Position,
}

/// Checks all calls of all texts.
pub fn check(
    engine: &Engine,
    units: &[Unit<'_>],
    header: Option<&Header>,
    names: &Names,
    findings: &mut Vec<Finding>,
) {
    let native = native_functions(engine);
    let modules: BTreeMap<&str, Functions> = units
        .iter()
        .map(|unit| (unit.name, public_functions(unit)))
        .collect();
    for unit in units {
        let own = all_functions(unit);
        let imports = imports_in(&unit.ast);
        each_call(unit, |call| {
            let finding = if call.call.namespace.path.is_empty() {
                unqualified(unit, &call, &native, &own)
            } else {
                qualified(unit, &call, &imports, &modules)
            };
            findings.extend(finding);
            findings.extend(literal_name(unit, &call, header, names));
        });
    }
}

fn each_call(unit: &Unit<'_>, mut visit: impl FnMut(Call<'_>)) {
    unit.ast.walk(&mut |path| {
        match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, position))) => visit(Call {
                call,
                method: false,
                position: *position,
            }),
            Some(ASTNode::Stmt(Stmt::FnCall(call, position))) => visit(Call {
                call,
                method: false,
                position: *position,
            }),
            Some(ASTNode::Expr(Expr::MethodCall(call, position))) => {
                visit(Call {
                    call,
                    method: true,
                    position: *position,
                });
            }
            _ => {}
        }
        true
    });
}

fn native_functions(engine: &Engine) -> Functions {
    let all = engine.collect_fn_metadata(
        None,
        |function| {
            Some((
                function.metadata.name.to_string(),
                function.metadata.num_params,
            ))
        },
        true,
    );
    let mut functions = Functions::new();
    for (name, arity) in all {
        functions.entry(name).or_default().insert(arity);
    }
    functions
}

fn all_functions(unit: &Unit<'_>) -> Functions {
    collect(
        unit.ast
            .iter_functions()
            .map(|function| (function.name.to_owned(), function.params.len())),
    )
}

fn public_functions(unit: &Unit<'_>) -> Functions {
    let public = unit
        .ast
        .iter_functions()
        .filter(|function| function.access.is_public());
    collect(public.map(|function| (function.name.to_owned(), function.params.len())))
}

fn collect(pairs: impl Iterator<Item = (String, usize)>) -> Functions {
    let mut functions = Functions::new();
    for (name, arity) in pairs {
        functions.entry(name).or_default().insert(arity);
    }
    functions
}

/// The modules that a text imports, by the names that it gives them.
pub fn imports_in(ast: &AST) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, _))) = path.last()
            && let Expr::StringConstant(module, _) = &import.0
        {
            found.insert(import.1.name.to_string(), module.to_string());
        }
        true
    });
    found
}

fn unqualified(
    unit: &Unit<'_>,
    call: &Call<'_>,
    native: &Functions,
    own: &Functions,
) -> Option<Finding> {
    let name = call.call.name.as_str();
    if call.call.op_token.is_some() || KEYWORDS.contains(&name) || name.starts_with("anon$") {
        return None;
    }
    if let Some((_, why)) = CLOCKS.iter().find(|(clock, _)| *clock == name)
        && !own.contains_key(name)
    {
        return Some(not_in_language(unit, call, name, why));
    }
    let given = call.call.args.len() + usize::from(call.method);
    let takes = |functions: &Functions| functions.get(name).cloned().unwrap_or_default();
    let (native, own) = (takes(native), takes(own));
    // A script's function called as a method binds `this`, so that its receiver is no argument.
    let fits = native.contains(&given) || own.contains(&call.call.args.len());
    if fits {
        return None;
    }
    if native.is_empty() && own.is_empty() {
        return Some(unknown_function(
            unit,
            call,
            name,
            "",
            &[&KEYWORDS.iter().map(|k| (*k).to_owned()).collect::<Vec<_>>()],
        ));
    }
    let arities: BTreeSet<usize> = native
        .iter()
        .map(|arity| arity.saturating_sub(usize::from(call.method)))
        .chain(own.iter().copied())
        .collect();
    Some(wrong_arity(unit, call, name, &arities))
}

fn qualified(
    unit: &Unit<'_>,
    call: &Call<'_>,
    imports: &BTreeMap<String, String>,
    modules: &BTreeMap<&str, Functions>,
) -> Option<Finding> {
    let alias = call.call.namespace.path.first()?.name.to_string();
    // A module that is not imported, or does not parse, is reported where that is.
    let functions = modules.get(imports.get(&alias)?.as_str())?;
    let name = call.call.name.as_str();
    match functions.get(name) {
        None => {
            let known: Vec<String> = functions.keys().cloned().collect();
            Some(unknown_function(
                unit,
                call,
                name,
                &format!("{alias}::"),
                &[&known],
            ))
        }
        Some(arities) if !arities.contains(&call.call.args.len()) => Some(wrong_arity(
            unit,
            call,
            &format!("{alias}::{name}"),
            arities,
        )),
        Some(_) => None,
    }
}

fn unknown_function(
    unit: &Unit<'_>,
    call: &Call<'_>,
    name: &str,
    prefix: &str,
    known: &[&Vec<String>],
) -> Finding {
    let mut candidates: Vec<String> = known
        .iter()
        .flat_map(|names| names.iter().cloned())
        .collect();
    if prefix.is_empty() {
        candidates.extend(super::engine::word_names());
        candidates.extend(
            unit.ast
                .iter_functions()
                .map(|function| function.name.to_owned()),
        );
    }
    let near = suggest::closest(
        name,
        candidates
            .iter()
            .map(String::as_str)
            .filter(|c| !c.contains('$')),
    );
    Finding {
        severity: Severity::Error,
        code: codes::UNKNOWN_FUNCTION,
        message: format!("there is no function `{prefix}{name}`"),
        position: unit.at(call.position),
        length: name.chars().count(),
        help: near.map(|near| format!("did you mean `{prefix}{near}`?")),
    }
}

fn not_in_language(unit: &Unit<'_>, call: &Call<'_>, name: &str, why: &str) -> Finding {
    Finding {
        severity: Severity::Error,
        code: codes::NOT_IN_LANGUAGE,
        message: format!("`{name}` is not part of the language"),
        position: unit.at(call.position),
        length: name.chars().count(),
        help: Some(why.to_owned()),
    }
}

fn wrong_arity(unit: &Unit<'_>, call: &Call<'_>, name: &str, arities: &BTreeSet<usize>) -> Finding {
    let takes: Vec<String> = arities.iter().map(ToString::to_string).collect();
    let given = call.call.args.len();
    Finding {
        severity: Severity::Error,
        code: codes::WRONG_ARITY,
        message: format!(
            "`{name}` takes {} argument(s), and {given} are given",
            takes.join(" or ")
        ),
        position: unit.at(call.position),
        length: call.call.name.chars().count(),
        help: None,
    }
}

/// `param("x")`, `host("x")`, `hosts("x")` with a literal name: is there one?
fn literal_name(
    unit: &Unit<'_>,
    call: &Call<'_>,
    header: Option<&Header>,
    names: &Names,
) -> Option<Finding> {
    if call.method || call.call.args.len() != 1 {
        return None;
    }
    let Expr::StringConstant(name, position) = &call.call.args[0] else {
        return None;
    };
    let (what, code, known): (&str, &'static str, Vec<&str>) = match call.call.name.as_str() {
        "param" => (
            "parameter",
            codes::UNKNOWN_PARAMETER,
            header?.parameters.iter().map(|p| p.name.as_str()).collect(),
        ),
        "host" => (
            "host",
            codes::UNKNOWN_HOST,
            names.hosts.as_ref()?.iter().map(String::as_str).collect(),
        ),
        "hosts" => (
            "group",
            codes::UNKNOWN_GROUP,
            names.groups.as_ref()?.iter().map(String::as_str).collect(),
        ),
        _ => return None,
    };
    if known.contains(&name.as_str()) {
        return None;
    }
    let help = match suggest::closest(name, known.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None if known.is_empty() => format!("there is no {what} at all"),
        None => format!("there are: {}", known.join(", ")),
    };
    Some(Finding {
        severity: Severity::Error,
        code,
        message: format!("there is no {what} \"{name}\""),
        position: unit.at(*position),
        length: name.chars().count() + 2,
        help: Some(help),
    })
}
