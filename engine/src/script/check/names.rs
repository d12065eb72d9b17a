//! Names: those that hide others, and parameters that nothing reads.

use std::collections::BTreeSet;

use rhai::Position;

use super::outline::{Kind, Node, Outline};
use super::{Finding, Header, Unit, codes};

/// Looks for names of one text that hide others of it.
pub fn shadowed(unit: &Unit<'_>, outline: &Outline, findings: &mut Vec<Finding>) {
    let mut scopes = Scopes {
        unit,
        functions: outline
            .functions
            .iter()
            .map(|function| function.name.as_str())
            .collect(),
        open: Vec::new(),
        closure: None,
        findings,
    };
    scopes.block(&[], &outline.top);
    for function in &outline.functions {
        let params: Vec<_> = function
            .params
            .iter()
            .map(|name| (name.clone(), Position::NONE))
            .collect();
        scopes.block(&params, &function.body);
    }
}

struct Scopes<'a, 'u> {
    unit: &'a Unit<'u>,
    /// The functions of the text.
    functions: BTreeSet<&'a str>,
    open: Vec<Vec<(String, Option<usize>)>>,
    /// How many scopes lie around the closure that is being looked at.
    closure: Option<usize>,
    findings: &'a mut Vec<Finding>,
}

impl Scopes<'_, '_> {
    fn block(&mut self, bound: &[(String, Position)], body: &[Node]) {
        self.open.push(Vec::new());
        for (name, at) in bound {
            self.bind(name, *at);
        }
        for node in body {
            self.node(node);
        }
        self.open.pop();
    }

    fn bind(&mut self, name: &str, at: Position) {
        let hidden = self
            .open
            .iter()
            .flatten()
            .rev()
            .find(|(other, _)| other == name);
        if let Some((_, line)) = hidden
            && !name.starts_with('_')
        {
            let first = line
                .map(|line| format!(" of line {line}"))
                .unwrap_or_default();
            let message = format!("`{name}` hides the `{name}`{first}");
            let finding =
                self.unit
                    .finding(codes::SHADOWED_NAME, at, name.chars().count(), message);
            self.findings
                .push(finding.help("give it a name of its own"));
        }
        if let Some(scope) = self.open.last_mut() {
            scope.push((name.to_owned(), at.line()));
        }
    }

    /// In a closure the interpreter finds the function of a name before the variable that is meant.
    fn variable(&mut self, name: &str, at: Position) {
        let Some(around) = self.closure.filter(|_| self.functions.contains(name)) else {
            return;
        };
        let binds = |scope: &Vec<(String, _)>| scope.iter().any(|(other, _)| other == name);
        let (outside, inside) = self.open.split_at(around.min(self.open.len()));
        if outside.iter().any(binds) && !inside.iter().any(binds) {
            let message = format!(
                "in a closure, `{name}` may be the function of that name, not the variable"
            );
            let length = name.chars().count();
            let finding = self
                .unit
                .finding(codes::FUNCTION_FOR_VARIABLE, at, length, message);
            self.findings
                .push(finding.help("give the variable or the function another name"));
        }
    }

    fn node(&mut self, node: &Node) {
        match &node.kind {
            Kind::Let(name, value) => {
                self.node(value);
                self.bind(name, node.at);
            }
            Kind::Block(body) => self.block(&[], body),
            Kind::If(condition, then, otherwise) => {
                self.node(condition);
                self.block(&[], then);
                self.block(&[], otherwise);
            }
            Kind::Loop(bound, over, body) => {
                self.node(over);
                self.block(bound, body);
            }
            Kind::Step(title, body) => {
                self.node(title);
                self.block(&[], body);
            }
            Kind::Try(body, caught, handler) => {
                self.block(&[], body);
                let caught: Vec<_> = caught.iter().cloned().collect();
                self.block(&caught, handler);
            }
            Kind::Closure(params, body) => {
                let params: Vec<_> = params.iter().map(|name| (name.clone(), node.at)).collect();
                let around = self.closure.replace(self.open.len());
                self.block(&params, body);
                self.closure = around;
            }
            Kind::Variable(name) => self.variable(name, node.at),
            _ => {
                for child in node.children() {
                    self.node(child);
                }
            }
        }
    }
}

/// Parameters of the header that no text reads.
pub fn unused<'o>(
    main: &Unit<'_>,
    header: &Header,
    outlines: impl Iterator<Item = &'o Outline>,
    findings: &mut Vec<Finding>,
) {
    let mut read = Vec::new();
    let mut computed = false;
    for outline in outlines {
        outline.walk(|node| {
            if let Kind::Call(call) = &node.kind
                && call.name == "param"
                && call.module.is_none()
            {
                match call.args.first().and_then(Node::text) {
                    Some(name) => read.push(name.to_owned()),
                    None => computed = true,
                }
            }
        });
    }
    if computed {
        return;
    }
    for parameter in &header.parameters {
        if read.contains(&parameter.name) {
            continue;
        }
        let name = &parameter.name;
        let at = header.parameter_place(&main.ast, name);
        let message = format!("nothing reads the parameter `{name}`");
        let finding = main.finding(codes::UNUSED_PARAMETER, at, name.chars().count(), message);
        findings.push(finding.help(format!(
            "read it with param(\"{name}\"), or take it out of the header"
        )));
    }
}
