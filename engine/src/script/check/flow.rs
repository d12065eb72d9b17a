//! Where values go: a secret into the arguments of a command, a value from outside into a shell text as code. Values
//! are followed through the variables of one function; what a function gives is judged by its arguments and by
//! whether it looks at a target.

use std::collections::{BTreeMap, BTreeSet};

use super::super::parameters::{ParameterSpec, ParameterType};
use super::outline::{Call, Kind, Node, Outline};
use super::{Finding, Header, Unit, codes};

/// What is known of a value.
#[derive(Clone, Copy, Default)]
struct Nature {
    /// A secret is in it.
    secret: bool,
    /// It was not written by the runbook's author.
    outside: bool,
}

impl Nature {
    fn and(self, other: Self) -> Self {
        Self {
            secret: self.secret || other.secret,
            outside: self.outside || other.outside,
        }
    }
}

/// Words whose value comes from somebody else.
const OUTSIDE: &[&str] = &[
    "probe", "run", "read", "input", "var", "get", "list", "logs", "events",
];
/// Functions whose value can be no shell code, whatever they are given.
const HARMLESS: &[&str] = &[
    "parse_int",
    "parse_float",
    "parse_bool",
    "len",
    "contains",
    "starts_with",
    "ends_with",
    "is_empty",
    "quote",
    "seconds",
    "matches",
    "exists",
    "==",
    "!=",
    "<",
    ">",
    "<=",
    ">=",
    "!",
    "in",
    "all",
    "some",
    "index_of",
    "type_of",
];

/// Looks through all texts.
pub fn check(
    units: &[Unit<'_>],
    outlines: &BTreeMap<&str, Outline>,
    header: Option<&Header>,
    findings: &mut Vec<Finding>,
) {
    for unit in units {
        let outline = &outlines[unit.name];
        let looking = looking(outline);
        for body in outline.bodies() {
            let mut flow = Flow {
                unit,
                header,
                looking: &looking,
                scopes: vec![BTreeMap::new()],
                findings,
            };
            flow.nodes(body);
        }
    }
}

/// The functions of a text that look at a target, directly or by others of it.
fn looking(outline: &Outline) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    loop {
        let before = found.len();
        for function in &outline.functions {
            let mut looks = false;
            for node in &function.body {
                node.walk(&mut |node| {
                    if let Kind::Call(call) = &node.kind {
                        let own = call.module.is_none() && found.contains(call.name.as_str());
                        looks |= own
                            || (call.receiver.is_some() && OUTSIDE.contains(&call.name.as_str()));
                    }
                });
            }
            if looks {
                found.insert(function.name.as_str());
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

struct Flow<'a, 'u> {
    unit: &'a Unit<'u>,
    header: Option<&'a Header>,
    looking: &'a BTreeSet<&'a str>,
    scopes: Vec<BTreeMap<String, Nature>>,
    findings: &'a mut Vec<Finding>,
}

impl Flow<'_, '_> {
    /// Goes through a block; its nature is that of its last statement.
    fn nodes(&mut self, nodes: &[Node]) -> Nature {
        self.scopes.push(BTreeMap::new());
        let mut last = Nature::default();
        for node in nodes {
            last = self.node(node);
        }
        self.scopes.pop();
        last
    }

    fn with(
        &mut self,
        names: impl IntoIterator<Item = String>,
        nature: Nature,
        body: &[Node],
    ) -> Nature {
        let bound = names.into_iter().map(|name| (name, nature)).collect();
        self.scopes.push(bound);
        let last = self.nodes(body);
        self.scopes.pop();
        last
    }

    fn all(&mut self, nodes: &[Node]) -> Nature {
        nodes
            .iter()
            .fold(Nature::default(), |sum, node| sum.and(self.node(node)))
    }

    fn node(&mut self, node: &Node) -> Nature {
        match &node.kind {
            Kind::Let(name, value) => {
                let nature = self.node(value);
                if let Some(scope) = self.scopes.last_mut() {
                    scope.insert(name.clone(), nature);
                }
                Nature::default()
            }
            Kind::Assign(to, value) => {
                let nature = self.node(value);
                self.taint(to, nature);
                Nature::default()
            }
            Kind::Block(nodes) => self.nodes(nodes),
            Kind::If(condition, then, otherwise) => {
                self.node(condition);
                self.nodes(then).and(self.nodes(otherwise))
            }
            Kind::Loop(bound, over, body) => {
                let nature = self.node(over);
                let names: Vec<String> = bound.iter().map(|(name, _)| name.clone()).collect();
                self.with(names, nature, body)
            }
            Kind::Try(body, caught, handler) => {
                let first = self.nodes(body);
                let name = caught
                    .iter()
                    .map(|(name, _)| name.clone())
                    .collect::<Vec<_>>();
                first.and(self.with(name, Nature::default(), handler))
            }
            Kind::Step(title, body) => {
                self.node(title);
                self.nodes(body)
            }
            Kind::Closure(params, body) => self.with(params.clone(), Nature::default(), body),
            Kind::Call(call) => self.call(node, call),
            Kind::Variable(name) => self.variable(name),
            Kind::Quoted(inner) | Kind::Property(inner) => self.node(inner),
            Kind::Map(entries) => entries.iter().fold(Nature::default(), |sum, (_, value)| {
                sum.and(self.node(value))
            }),
            Kind::Interpolated(nodes)
            | Kind::List(nodes)
            | Kind::Throw(nodes)
            | Kind::Other(nodes) => self.all(nodes),
            Kind::Text(_) | Kind::Kube | Kind::Constant => Nature::default(),
        }
    }

    fn variable(&self, name: &str) -> Nature {
        let mut scopes = self.scopes.iter().rev();
        scopes
            .find_map(|scope| scope.get(name))
            .copied()
            .unwrap_or_default()
    }

    /// What is put into a variable, or into a part of it, is in it from then on.
    fn taint(&mut self, place: &Node, nature: Nature) {
        match &place.kind {
            Kind::Variable(name) => {
                let mut scopes = self.scopes.iter_mut().rev();
                if let Some(known) = scopes.find_map(|scope| scope.get_mut(name)) {
                    *known = known.and(nature);
                }
            }
            Kind::Property(inner) => self.taint(inner, nature),
            Kind::Other(parts) => {
                if let Some(first) = parts.first() {
                    self.taint(first, nature);
                }
            }
            _ => {}
        }
    }

    fn call(&mut self, node: &Node, call: &Call) -> Nature {
        let mut given = Nature::default();
        if let Some(receiver) = &call.receiver {
            given = given.and(self.node(receiver));
        }
        let mut closures = Vec::new();
        let mut natures = Vec::new();
        for argument in &call.args {
            let nature = match &argument.kind {
                Kind::Closure(params, body) => {
                    closures.push((params, body));
                    Nature::default()
                }
                _ => self.node(argument),
            };
            natures.push(nature);
            given = given.and(nature);
        }
        // What a closure is called with are the items of what stands before it.
        for (params, body) in closures {
            given = given.and(self.with(params.clone(), given, body));
        }
        if call.module.is_some() {
            return given;
        }
        self.sinks(call, &natures);
        let name = call.name.as_str();
        if let (Some(receiver), "push" | "append" | "insert" | "set") = (&call.receiver, name) {
            self.taint(receiver, given);
        }
        match name {
            "secret" => Nature {
                secret: true,
                outside: false,
            },
            "param" => Nature {
                secret: false,
                outside: self.free(call),
            },
            "raw" => {
                if given.outside {
                    let message =
                        "raw() puts a value from outside of the runbook into a shell as code"
                            .to_owned();
                    let finding =
                        self.unit
                            .finding(codes::RAW_FROM_OUTSIDE, node.at, name.len(), message);
                    self.findings.push(finding.help(
                        "leave `raw` away: sh `…` quotes the value (and every item of an array)",
                    ));
                }
                Nature {
                    outside: false,
                    ..given
                }
            }
            _ if HARMLESS.contains(&name) => Nature::default(),
            _ if OUTSIDE.contains(&name) && (call.receiver.is_some() || name == "input") => {
                Nature {
                    secret: false,
                    outside: true,
                }
            }
            _ if call.receiver.is_none() && self.looking.contains(name) => Nature {
                outside: true,
                ..given
            },
            _ => given,
        }
    }

    /// Whether a parameter may be any text.
    fn free(&self, call: &Call) -> bool {
        let spec = |name: &str| -> Option<&ParameterSpec> {
            self.header?
                .parameters
                .iter()
                .find(|spec| spec.name == name)
        };
        match call.args.first().and_then(Node::text).and_then(spec) {
            Some(spec) => spec.kind == ParameterType::Text && spec.pattern.is_none(),
            None => true,
        }
    }

    /// A secret in the words of a command, or of one of its options that are commands.
    fn sinks(&mut self, call: &Call, natures: &[Nature]) {
        if !matches!(call.name.as_str(), "run" | "probe") {
            return;
        }
        let first = call.args.len() - call.of_word().len();
        let Some(command) = call.args.get(first) else {
            return;
        };
        let mut places = Vec::new();
        if natures.get(first).is_some_and(|nature| nature.secret) {
            places.push(command);
        }
        for option in ["unless", "undo"] {
            if let Some(value) = call.option(option)
                && self.node(value).secret
            {
                places.push(value);
            }
        }
        for place in places {
            let message =
                "a secret becomes an argument of a command, which every user of the host can read"
                    .to_owned();
            let finding = self
                .unit
                .finding(codes::SECRET_IN_ARGUMENT, place.at, 1, message);
            self.findings
                .push(finding.help("hand it over by `stdin:` or `env:`"));
        }
    }
}
