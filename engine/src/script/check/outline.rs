//! The shape of a text as the lints see it: calls with their receivers, closures where they stand, names with the
//! places at which they are made. The interpreter's own tree has closures torn out of their places and chains of
//! methods nested from the right; lints written on it would each have to mend that.

use std::collections::BTreeMap;

use rhai::{AST, ASTFlags, ASTNode, Dynamic, Expr, FnCallExpr, FnPtr, Position, Stmt, StmtBlock};

/// One text.
pub struct Outline {
    /// What the script does at its top level; empty for a module.
    pub top: Vec<Node>,
    /// Its named functions.
    pub functions: Vec<Function>,
    /// The modules that it imports, by the name that it gives them.
    pub imports: BTreeMap<String, String>,
}

/// A named function.
pub struct Function {
    /// Its name.
    pub name: String,
    /// Its parameters.
    pub params: Vec<String>,
    /// What it does.
    pub body: Vec<Node>,
}

/// A piece of a text.
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Where.
    pub at: Position,
}

/// What a piece of a text is.
pub enum Kind {
    /// `let name = value`.
    Let(String, Box<Node>),
    /// `place = value`, also `+=` and its like.
    Assign(Box<Node>, Box<Node>),
    /// `{ … }`.
    Block(Vec<Node>),
    /// `if`: the condition and both blocks.
    If(Box<Node>, Vec<Node>, Vec<Node>),
    /// `for`, `while`, `loop`: the names bound in each round, what it goes through, and the body.
    Loop(Vec<(String, Position)>, Box<Node>, Vec<Node>),
    /// `try` with the name of the caught error.
    Try(Vec<Node>, Option<(String, Position)>, Vec<Node>),
    /// `|params| …`.
    Closure(Vec<String>, Vec<Node>),
    /// A call of a function, method or operator.
    Call(Call),
    /// `step title { … }`.
    Step(Box<Node>, Vec<Node>),
    /// ``sh `…` ``.
    Quoted(Box<Node>),
    /// A variable.
    Variable(String),
    /// `of.name`.
    Property(Box<Node>),
    /// A literal text.
    Text(String),
    /// A text with values in it.
    Interpolated(Vec<Node>),
    /// `[ … ]`.
    List(Vec<Node>),
    /// `#{ … }`.
    Map(Vec<(String, Node)>),
    /// `throw`.
    Throw(Vec<Node>),
    /// The word `kube`.
    Kube,
    /// Any other literal.
    Constant,
    /// Anything else, with its parts.
    Other(Vec<Node>),
}

/// A call.
pub struct Call {
    /// The function's name.
    pub name: String,
    /// The module before `::`.
    pub module: Option<String>,
    /// What stands before the dot.
    pub receiver: Option<Box<Node>>,
    /// The arguments in parentheses.
    pub args: Vec<Node>,
}

impl Call {
    /// The arguments of a host's word, whether it is called as `host.run(…)` or as `run(host, …)`.
    pub fn of_word(&self) -> &[Node] {
        match self.receiver {
            Some(_) => &self.args,
            None => self.args.get(1..).unwrap_or_default(),
        }
    }

    /// The entry of a literal options map among the arguments.
    pub fn option(&self, name: &str) -> Option<&Node> {
        self.args.iter().find_map(|argument| match &argument.kind {
            Kind::Map(entries) => entries
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value),
            _ => None,
        })
    }

    /// Whether its options are a map that is written there, or there are none: only then is what is missing known.
    pub fn options_are_literal(&self) -> bool {
        let words = self.of_word();
        words
            .iter()
            .skip(1)
            .all(|argument| matches!(argument.kind, Kind::Map(_) | Kind::Closure(..)))
    }
}

impl Node {
    /// Its parts, in the order of the text.
    pub fn children(&self) -> Vec<&Node> {
        match &self.kind {
            Kind::Let(_, value) | Kind::Quoted(value) | Kind::Property(value) => vec![value],
            Kind::Assign(to, value) => vec![to, value],
            Kind::If(condition, then, otherwise) => std::iter::once(&**condition)
                .chain(then)
                .chain(otherwise)
                .collect(),
            Kind::Loop(_, over, body) | Kind::Step(over, body) => {
                std::iter::once(&**over).chain(body).collect()
            }
            Kind::Try(body, _, handler) => body.iter().chain(handler).collect(),
            Kind::Call(call) => call
                .receiver
                .as_deref()
                .into_iter()
                .chain(&call.args)
                .collect(),
            Kind::Map(entries) => entries.iter().map(|(_, value)| value).collect(),
            Kind::Block(nodes)
            | Kind::Closure(_, nodes)
            | Kind::Interpolated(nodes)
            | Kind::List(nodes)
            | Kind::Throw(nodes)
            | Kind::Other(nodes) => nodes.iter().collect(),
            Kind::Variable(_) | Kind::Text(_) | Kind::Kube | Kind::Constant => Vec::new(),
        }
    }

    /// Visits it and everything in it.
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Node)) {
        visit(self);
        for child in self.children() {
            child.walk(visit);
        }
    }

    /// The titles of the steps in it, with their depths.
    pub fn steps(&self, depth: usize, found: &mut Vec<(usize, String)>) {
        let mut inner = depth;
        if let Kind::Step(title, _) = &self.kind {
            found.push((depth, title.shown()));
            inner += 1;
        }
        for child in self.children() {
            child.steps(inner, found);
        }
    }

    fn shown(&self) -> String {
        match &self.kind {
            Kind::Text(text) => text.clone(),
            Kind::Interpolated(parts) => parts.iter().map(Self::shown).collect(),
            _ => "…".into(),
        }
    }

    /// The literal text that it is.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            Kind::Quoted(inner) => inner.text(),
            _ => None,
        }
    }
}

impl Outline {
    /// The shape of a parsed text.
    pub fn of(ast: &AST) -> Self {
        let bodies = bodies(ast);
        let reader = Reader { bodies: &bodies };
        let functions = ast
            .iter_functions()
            .filter(|function| !function.name.starts_with("anon$"))
            .map(|function| Function {
                name: function.name.to_owned(),
                params: function
                    .params
                    .iter()
                    .map(|name| (*name).to_owned())
                    .collect(),
                body: reader.statements(
                    bodies
                        .get(&key(function.name, function.params.len()))
                        .map_or(&[], |(_, body)| body.as_slice()),
                ),
            })
            .collect();
        let mut imports = BTreeMap::new();
        ast.walk(&mut |path| {
            if let Some(ASTNode::Stmt(Stmt::Import(import, _))) = path.last()
                && let Expr::StringConstant(module, _) = &import.0
            {
                imports.insert(import.1.name.to_string(), module.to_string());
            }
            true
        });
        Self {
            top: reader.statements(ast.statements()),
            functions,
            imports,
        }
    }

    /// All statements: the script's own and those of its functions.
    pub fn bodies(&self) -> impl Iterator<Item = &[Node]> {
        std::iter::once(self.top.as_slice()).chain(
            self.functions
                .iter()
                .map(|function| function.body.as_slice()),
        )
    }

    /// Visits every piece.
    pub fn walk<'a>(&'a self, mut visit: impl FnMut(&'a Node)) {
        for body in self.bodies() {
            body.iter().for_each(|node| node.walk(&mut visit));
        }
    }
}

/// Names of parameters and statements of every function, closures included.
type Bodies = BTreeMap<String, (Vec<String>, Vec<Stmt>)>;

fn key(name: &str, arity: usize) -> String {
    // Closures have names of their own; functions may share one if they take different numbers of arguments.
    match name.starts_with("anon$") {
        true => name.to_owned(),
        false => format!("{name}/{arity}"),
    }
}

/// The interpreter shows bodies of functions only while walking, without their names: so one function is left in
/// a copy of the text at a time.
fn bodies(ast: &AST) -> Bodies {
    let mut found = Bodies::new();
    let functions: Vec<(String, Vec<String>)> = ast
        .iter_functions()
        .map(|f| {
            (
                f.name.to_owned(),
                f.params.iter().map(|p| (*p).to_owned()).collect(),
            )
        })
        .collect();
    for (name, params) in functions {
        let mut one = ast.clone();
        one.clear_statements();
        one.retain_functions(|_, _, other, arity| other == name && arity == params.len());
        let mut statements = Vec::new();
        one.walk(&mut |path| {
            if let [ASTNode::Stmt(statement)] = path {
                statements.push((*statement).clone());
            }
            true
        });
        found.insert(key(&name, params.len()), (params, statements));
    }
    found
}

struct Reader<'a> {
    bodies: &'a Bodies,
}

fn node(kind: Kind, at: Position) -> Node {
    Node { kind, at }
}

impl Reader<'_> {
    fn statements(&self, statements: &[Stmt]) -> Vec<Node> {
        statements
            .iter()
            .map(|statement| self.statement(statement))
            .collect()
    }

    fn block(&self, block: &StmtBlock) -> Vec<Node> {
        self.statements(block.statements())
    }

    fn statement(&self, statement: &Stmt) -> Node {
        let at = statement.position();
        let kind = match statement {
            Stmt::Var(parts, ..) => {
                let place = parts.0.pos;
                return node(
                    Kind::Let(
                        parts.0.name.to_string(),
                        Box::new(self.expression(&parts.1)),
                    ),
                    if place.is_none() { at } else { place },
                );
            }
            Stmt::Assignment(parts) => Kind::Assign(
                Box::new(self.expression(&parts.1.lhs)),
                Box::new(self.expression(&parts.1.rhs)),
            ),
            Stmt::If(flow, _) => Kind::If(
                Box::new(self.expression(&flow.expr)),
                self.block(&flow.body),
                self.block(&flow.branch),
            ),
            Stmt::While(flow, _) | Stmt::Do(flow, ..) => Kind::Loop(
                Vec::new(),
                Box::new(self.expression(&flow.expr)),
                self.block(&flow.body),
            ),
            Stmt::For(parts, _) => {
                let bound = std::iter::once(&parts.0)
                    .chain(&parts.1)
                    .map(|name| (name.name.to_string(), name.pos))
                    .collect();
                Kind::Loop(
                    bound,
                    Box::new(self.expression(&parts.2.expr)),
                    self.block(&parts.2.body),
                )
            }
            Stmt::TryCatch(flow, _) => {
                let caught = match &flow.expr {
                    Expr::Variable(name, _, place) => Some((name.1.to_string(), *place)),
                    _ => None,
                };
                Kind::Try(self.block(&flow.body), caught, self.block(&flow.branch))
            }
            Stmt::Block(block) => Kind::Block(self.block(block)),
            Stmt::FnCall(call, position) => return self.call(call, None, *position),
            Stmt::Expr(expression) => return self.expression(expression),
            Stmt::Return(value, flags, _) => {
                let value = value.iter().map(|value| self.expression(value)).collect();
                match flags.contains(ASTFlags::BREAK) {
                    true => Kind::Throw(value),
                    false => Kind::Other(value),
                }
            }
            Stmt::BreakLoop(value, ..) => {
                Kind::Other(value.iter().map(|value| self.expression(value)).collect())
            }
            _ => Kind::Constant,
        };
        node(kind, at)
    }

    fn expressions<'a>(&self, all: impl IntoIterator<Item = &'a Expr>) -> Vec<Node> {
        all.into_iter().map(|one| self.expression(one)).collect()
    }

    fn expression(&self, expression: &Expr) -> Node {
        let at = expression.position();
        let kind = match expression {
            Expr::DynamicConstant(value, _) => return self.constant(value, 0, at),
            Expr::StringConstant(text, _) => Kind::Text(text.to_string()),
            Expr::InterpolatedString(segments, _) => {
                Kind::Interpolated(self.expressions(segments.iter()))
            }
            Expr::Array(items, _) => Kind::List(self.expressions(items.iter())),
            Expr::Map(entries, _) => Kind::Map(
                entries
                    .0
                    .iter()
                    .map(|(name, value)| (name.name.to_string(), self.expression(value)))
                    .collect(),
            ),
            Expr::Variable(name, _, _) => Kind::Variable(name.1.to_string()),
            Expr::Stmt(block) => match self.closure(block) {
                Some(closure) => return closure,
                None => Kind::Block(self.block(block)),
            },
            Expr::FnCall(call, position) | Expr::MethodCall(call, position) => {
                return self.call(call, None, *position);
            }
            Expr::Dot(parts, flags, _) => {
                let first = self.expression(&parts.lhs);
                return self.chain(first, Link::Dot, &parts.rhs, *flags);
            }
            Expr::Index(parts, flags, _) => {
                let first = self.expression(&parts.lhs);
                return self.chain(first, Link::Index, &parts.rhs, *flags);
            }
            Expr::And(all, _) | Expr::Or(all, _) | Expr::Coalesce(all, _) => {
                Kind::Other(self.expressions(all.iter()))
            }
            Expr::Custom(custom, _) => {
                match custom.tokens.first().map(|token| token.as_str()) {
                    Some("step") if custom.inputs.len() == 2 => {
                        let body = match &custom.inputs[1] {
                            Expr::Stmt(block) => self.block(block),
                            other => vec![self.expression(other)],
                        };
                        Kind::Step(Box::new(self.expression(&custom.inputs[0])), body)
                    }
                    Some("sh") if custom.inputs.len() == 1 => {
                        Kind::Quoted(Box::new(self.expression(&custom.inputs[0])))
                    }
                    // The header is data.
                    Some("runbook") => Kind::Constant,
                    Some("kube") => Kind::Kube,
                    _ => Kind::Other(self.expressions(custom.inputs.iter())),
                }
            }
            _ => Kind::Constant,
        };
        node(kind, at)
    }

    /// `first.a.b` and `first[a].b` are nested from the right.
    fn chain(&self, first: Node, link: Link, rest: &Expr, flags: ASTFlags) -> Node {
        if !flags.contains(ASTFlags::BREAK) {
            let (parts, inner, next) = match rest {
                Expr::Dot(parts, inner, _) => (parts, inner, Link::Dot),
                Expr::Index(parts, inner, _) => (parts, inner, Link::Index),
                _ => return self.linked(first, link, rest),
            };
            let first = self.linked(first, link, &parts.lhs);
            return self.chain(first, next, &parts.rhs, *inner);
        }
        self.linked(first, link, rest)
    }

    fn linked(&self, first: Node, link: Link, to: &Expr) -> Node {
        let at = to.position();
        match (link, to) {
            (Link::Dot, Expr::MethodCall(call, position)) => {
                self.call(call, Some(first), *position)
            }
            (Link::Dot, Expr::Property(..)) => node(Kind::Property(Box::new(first)), at),
            _ => node(Kind::Other(vec![first, self.expression(to)]), at),
        }
    }

    fn call(&self, call: &FnCallExpr, receiver: Option<Node>, at: Position) -> Node {
        let kind = Kind::Call(Call {
            name: call.name.to_string(),
            module: call
                .namespace
                .path
                .first()
                .map(|name| name.name.to_string()),
            receiver: receiver.map(Box::new),
            args: self.expressions(call.args.iter()),
        });
        node(kind, at)
    }

    /// The interpreter writes a closure as a block that shares the captured variables and then binds them.
    fn closure(&self, block: &StmtBlock) -> Option<Node> {
        let [Stmt::Share(..), Stmt::Expr(bound)] = block.statements() else {
            return None;
        };
        let Expr::FnCall(curry, _) = &**bound else {
            return None;
        };
        let (function, captured) = curry.args.split_first()?;
        let Expr::DynamicConstant(function, at) = function else {
            return None;
        };
        Some(self.constant(function, captured.len(), *at))
    }

    fn constant(&self, value: &Dynamic, captured: usize, at: Position) -> Node {
        let function = value
            .read_lock::<FnPtr>()
            .and_then(|function| self.bodies.get(function.fn_name()));
        let kind = match function {
            Some((params, body)) => Kind::Closure(
                params.get(captured..).unwrap_or_default().to_vec(),
                self.statements(body),
            ),
            None => Kind::Constant,
        };
        node(kind, at)
    }
}

#[derive(Clone, Copy)]
enum Link {
    Dot,
    Index,
}
