//! Files of tests: where they are, and which tests stand in them.

use std::path::{Path, PathBuf};

use rhai::{AST, ASTNode, Engine, Expr};

use super::words;
use crate::cli::problem::Problem;
use crate::model::SourcePosition;
use crate::report::Diagnostic;

/// What the name of a file of tests ends in.
pub const SUFFIX: &str = "_test.rhai";

/// Folders that hold no tests of the user's own.
const SKIPPED: [&str; 3] = ["target", "node_modules", "vendor"];

/// A file of tests.
pub struct TestFile {
    /// As the user named it.
    pub name: String,
    /// Where it is, absolute: runbooks and labs are named from here.
    pub folder: PathBuf,
    /// Its text.
    pub text: String,
    /// Its tests in their order.
    pub cases: Vec<Case>,
}

/// One test.
pub struct Case {
    /// Its name.
    pub name: String,
    /// Where it stands, from 1.
    pub line: u32,
    /// The column of its name.
    pub column: u32,
}

/// Reads the files of tests at these paths, or below the current folder.
pub fn load(paths: &[PathBuf]) -> Result<Vec<TestFile>, Problem> {
    let mut found = Vec::new();
    let here = [PathBuf::from(".")];
    for path in if paths.is_empty() { &here } else { paths } {
        let before = found.len();
        if path.is_dir() {
            walk(path, &mut found)?;
        } else if path.is_file() {
            found.push(path.clone());
        } else {
            return Err(Problem::usage(Diagnostic::error(format!(
                "there is no {}",
                path.display()
            ))));
        }
        if found.len() == before {
            return Err(Problem::usage(
                Diagnostic::error(format!("there are no tests below {}", path.display())).help(
                    format!("files of tests are named …{SUFFIX}; `runbook new NAME` makes one"),
                ),
            ));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
    let engine = words::for_checking();
    let mut files = Vec::new();
    let mut wrong = Vec::new();
    for path in found {
        match read(&engine, &path) {
            Ok(file) => files.push(file),
            Err(diagnostic) => wrong.push(*diagnostic),
        }
    }
    if wrong.is_empty() {
        return Ok(files);
    }
    Err(Problem {
        diagnostics: wrong,
        exit: crate::cli::problem::USAGE,
    })
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Problem> {
    let unreadable = |error: std::io::Error| {
        Problem::usage(Diagnostic::error(format!(
            "{} cannot be read: {error}",
            folder.display()
        )))
    };
    let mut entries = std::fs::read_dir(folder)
        .map_err(unreadable)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(unreadable)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() && !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) {
            walk(&path, found)?;
        } else if kind.is_file() && name.ends_with(SUFFIX) {
            found.push(path);
        }
    }
    Ok(())
}

fn read(engine: &Engine, path: &Path) -> Result<TestFile, Box<Diagnostic>> {
    let name = path.strip_prefix(".").unwrap_or(path).display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Box::new(Diagnostic::error(format!("{name} cannot be read: {error}"))))?;
    let at = |line: u32, column: u32| SourcePosition {
        file: name.clone(),
        line,
        column,
    };
    let ast = engine.compile(&text).map_err(|error| {
        let (line, column) = place(error.position());
        Box::new(
            Diagnostic::error(error.err_type().to_string())
                .code("syntax")
                .at(at(line, column), Some(text.clone()), 1),
        )
    })?;
    let cases = cases(&ast);
    if cases.is_empty() {
        return Err(Box::new(
            Diagnostic::error(format!("{name} has no tests"))
                .help("a test: test \"what must be so\" { … }"),
        ));
    }
    for (index, case) in cases.iter().enumerate() {
        if cases[..index].iter().any(|other| other.name == case.name) {
            let double = Diagnostic::error(format!("two tests are named {:?}", case.name));
            let length = case.name.chars().count() + 2;
            return Err(Box::new(double.at(
                at(case.line, case.column),
                Some(text.clone()),
                length,
            )));
        }
    }
    let folder = path
        .canonicalize()
        .ok()
        .and_then(|path| path.parent().map(Path::to_path_buf))
        .unwrap_or_else(|| PathBuf::from("."));
    Ok(TestFile {
        name,
        folder,
        text,
        cases,
    })
}

/// The tests of a parsed file, in their order.
fn cases(ast: &AST) -> Vec<Case> {
    let mut cases = Vec::new();
    ast.walk(&mut |path| {
        if let Some(ASTNode::Expr(Expr::Custom(custom, _))) = path.last()
            && custom.tokens.first().is_some_and(|token| token == "test")
            && let Some(Expr::StringConstant(name, position)) = custom.inputs.first()
        {
            let (line, column) = place(*position);
            cases.push(Case {
                name: name.to_string(),
                line,
                column,
            });
        }
        true
    });
    cases.sort_by_key(|case| (case.line, case.column));
    cases.dedup_by_key(|case| (case.line, case.column));
    cases
}

/// Line and column, from 1.
pub fn place(position: rhai::Position) -> (u32, u32) {
    (
        position.line().unwrap_or(1) as u32,
        position.position().unwrap_or(1) as u32,
    )
}
