//! What a runbook may ask of the cluster, read from its text: every call of a word on `kube`, `pod` and `node` that can
//! be reached from the script's beginning, through functions, closures and modules. Says more than one run will do,
//! never less, but for kinds that are computed.

use std::collections::{BTreeSet, HashSet};

use rhai::{AST, ASTNode, Expr, FnCallExpr, FnPtr, Stmt};

use super::check::imports_in;
use super::engine;
use super::sources::SourceSet;

/// One thing that a runbook may ask of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Need {
    /// The word, such as `kube.delete`.
    pub word: String,
    /// The kind, where it stands there as a text.
    pub kind: Option<String>,
    /// The namespace.
    pub namespace: Place,
}

/// Where a need is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// In this namespace.
    Named(String),
    /// In the one that this parameter names.
    Parameter(String),
    /// In one that only the run knows.
    Computed,
    /// In all, or in none.
    Everywhere,
}

/// A function of a text; none for what stands outside of functions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Part {
    text: String,
    function: Option<String>,
}

/// Everything that a checked runbook may ask of the cluster.
pub fn needs(sources: &SourceSet) -> BTreeSet<Need> {
    let engine = engine::for_checking();
    let texts: Vec<(String, AST)> = sources
        .iter()
        .filter_map(|(name, text)| Some((name.to_owned(), engine.compile(text).ok()?)))
        .collect();
    let mut found = BTreeSet::new();
    let mut seen = HashSet::new();
    let mut open = vec![Part {
        text: sources.main.clone(),
        function: None,
    }];
    while let Some(part) = open.pop() {
        if !seen.insert(part.clone()) {
            continue;
        }
        let Some((name, ast)) = texts.iter().find(|(name, _)| *name == part.text) else {
            continue;
        };
        let imports = imports_in(ast);
        let mut visit = |path: &[ASTNode<'_>]| {
            let here = |function: &str| Part {
                text: name.clone(),
                function: Some(function.to_owned()),
            };
            match path.last() {
                Some(
                    ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _))
                    | ASTNode::Stmt(Stmt::FnCall(call, _)),
                ) => {
                    let alias = call
                        .namespace
                        .path
                        .first()
                        .map(|alias| alias.name.to_string());
                    match alias.and_then(|alias| imports.get(&alias).cloned()) {
                        Some(module) => open.push(Part {
                            text: module,
                            function: Some(call.name.to_string()),
                        }),
                        None => open.push(here(&call.name)),
                    }
                    found.extend(need(call, path));
                }
                Some(ASTNode::Expr(Expr::DynamicConstant(value, _))) => {
                    if let Some(closure) = value.read_lock::<FnPtr>() {
                        open.push(here(closure.fn_name()));
                    }
                }
                _ => {}
            }
            true
        };
        match &part.function {
            None => {
                for statement in ast.statements() {
                    statement.walk(&mut Vec::new(), &mut visit);
                }
            }
            Some(function) => {
                // Upstream's clone_functions_only_filtered keeps every function (1.27.0).
                let mut only = ast.clone_functions_only();
                only.retain_functions(|_, _, name, _| name == function);
                only.walk(&mut visit);
            }
        }
    }
    found
}

/// What one call asks for.
fn need(call: &FnCallExpr, path: &[ASTNode<'_>]) -> Option<Need> {
    let text = |place: usize| match call.args.get(place) {
        Some(Expr::StringConstant(text, _)) => Some(text.to_string()),
        _ => None,
    };
    let arguments = call.args.len();
    if is_method_of(path, "kube") {
        let word = format!("kube.{}", call.name);
        let (kind, namespace) = match call.name.as_str() {
            "create" | "apply" => {
                let manifest = call.args.first();
                let namespace = manifest
                    .and_then(|manifest| field(manifest, "metadata"))
                    .and_then(|metadata| field(metadata, "namespace"));
                let kind = kind_of(manifest);
                (kind, namespace.map_or(Place::Everywhere, place))
            }
            "logs" | "events" | "evict" => (None, call.args.first().map_or(Place::Computed, place)),
            "list" => {
                let options = call.args.get(1);
                let namespace = options.and_then(|options| field(options, "namespace"));
                (text(0), namespace.map_or(Place::Everywhere, place))
            }
            "get" if arguments == 2 => (text(0), Place::Everywhere),
            _ => (text(0), call.args.get(1).map_or(Place::Computed, place)),
        };
        return Some(Need {
            word,
            kind,
            namespace,
        });
    }
    match call.name.as_str() {
        "pod" if arguments >= 2 => Some(Need {
            word: "pod".into(),
            kind: None,
            namespace: call.args.first().map_or(Place::Computed, place),
        }),
        "node" if arguments == 1 => Some(Need {
            word: "node".into(),
            kind: None,
            namespace: Place::Everywhere,
        }),
        _ => None,
    }
}

/// Whether the call at the end of a path is a method of this word.
fn is_method_of(path: &[ASTNode<'_>], word: &str) -> bool {
    let mut above = path.iter().rev();
    let Some(ASTNode::Expr(Expr::MethodCall(call, _))) = above.next() else {
        return false;
    };
    // `kube` is syntax of our own, see words/syntax.rs.
    let is_word = |side: &Expr| match side {
        Expr::Custom(custom, ..) => custom.tokens.first().is_some_and(|token| *token == word),
        _ => false,
    };
    let Some(ASTNode::Expr(Expr::Dot(pair, ..))) = above.next() else {
        return false;
    };
    if is_word(&pair.lhs) {
        return true;
    }
    // A chain nests to the right: in `kube.list(…).filter(…)` the two calls are a pair, which is the right side of the
    // one with `kube`. Only the first of them is a method of it.
    let first = matches!(&pair.lhs, Expr::MethodCall(first, _) if std::ptr::eq(&**first, &**call));
    match above.next() {
        Some(ASTNode::Expr(Expr::Dot(outer, ..))) => first && is_word(&outer.lhs),
        _ => false,
    }
}

fn field<'a>(map: &'a Expr, name: &str) -> Option<&'a Expr> {
    match map {
        Expr::Map(entries, _) => entries
            .0
            .iter()
            .find(|(key, _)| key.name == name)
            .map(|(_, value)| value),
        _ => None,
    }
}

/// `apps/v1/Deployment` of a manifest that names both as texts.
fn kind_of(manifest: Option<&Expr>) -> Option<String> {
    let text = |name: &str| match field(manifest?, name)? {
        Expr::StringConstant(text, _) => Some(text.to_string()),
        _ => None,
    };
    Some(format!("{}/{}", text("apiVersion")?, text("kind")?))
}

/// A namespace as it stands in the text: itself, a parameter, or something else.
fn place(expression: &Expr) -> Place {
    match expression {
        Expr::StringConstant(text, _) => Place::Named(text.to_string()),
        Expr::FnCall(call, _) if call.name == "param" => match call.args.first() {
            Some(Expr::StringConstant(text, _)) => Place::Parameter(text.to_string()),
            _ => Place::Computed,
        },
        _ => Place::Computed,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn of(main: &str) -> Vec<String> {
        let mut texts: BTreeMap<String, String> = SourceSet::standard_library()
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        texts.insert("main".into(), main.to_owned());
        needs(&SourceSet::pinned("main".into(), texts))
            .into_iter()
            .map(|need| {
                let kind = need.kind.unwrap_or_default();
                format!("{} {kind} {:?}", need.word, need.namespace)
            })
            .collect()
    }

    #[test]
    fn what_can_be_reached_is_found_and_nothing_else() {
        let found = of(r#"
            fn unused() { kube.delete("secrets", "a", "b", #{ uid: "c" }); }
            fn used(name) { kube.patch("configmaps", param("space"), name, #{ data: #{ a: "1" } }); }
            let list = ["x"];
            step "one" { list.for_each(|name| used(name)); kube.get("nodes", "n1") }
            kube.list("pods", #{ namespace: "web" });
            kube.create(#{ apiVersion: "apps/v1", kind: "Deployment", metadata: #{ namespace: "web", name: "x" } });
            pod("web", "p").probe(["true"]);
        "#);
        assert_eq!(
            found,
            [
                "kube.create apps/v1/Deployment Named(\"web\")",
                "kube.get nodes Everywhere",
                "kube.list pods Named(\"web\")",
                "kube.patch configmaps Parameter(\"space\")",
                "pod  Named(\"web\")",
            ]
        );
    }

    #[test]
    fn modules_are_followed_by_function() {
        let found = of(r#"
            import "std/kubernetes" as kubernetes;
            let facts = kubernetes::pods_of("web", #{ uid: "u" });
        "#);
        assert_eq!(found, ["kube.list pods Computed"]);
    }
}
