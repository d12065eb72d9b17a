//! What the README and the reference of the library show runs as it stands there.

#[path = "support/bench.rs"]
mod bench;

use std::path::Path;

use bench::{Bench, LAB};

const README: &str = include_str!("../../README.md");
const HELLO: &str = include_str!("../../examples/hello.rhai");

#[test]
fn the_first_runbook_of_the_readme_works() {
    assert!(
        README.contains(HELLO),
        "the README shows another text than examples/hello.rhai"
    );
    let bench = Bench::new();
    let greeting = bench.path().join("greeting.conf");
    // The same text, but for the place: tests leave nothing behind.
    let text = HELLO.replace("/tmp/greeting.conf", greeting.to_str().unwrap());
    bench.write("hello.rhai", &text);
    bench.exits(0, &["check", "hello.rhai"]);
    let plan = bench.exits(0, &["run", "hello.rhai", "--dry-run"]);
    assert!(plan.contains("+greet=world"), "{plan}");
    assert!(!greeting.exists());
    bench.exits(0, &["run", "hello.rhai", "-e", "who=team"]);
    assert_eq!(std::fs::read_to_string(&greeting).unwrap(), "greet=team\n");
    bench.exits(0, &["undo", &bench.newest(), "--yes"]);
    assert!(!greeting.exists());
}

/// The modules of the standard library: name, text, examples.
fn library() -> Vec<(String, String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../stdlib");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "rhai")
        {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let examples = folder.join("examples").join(format!("{name}.rhai"));
            let examples = std::fs::read_to_string(examples).unwrap_or_default();
            found.push((name, std::fs::read_to_string(path).unwrap(), examples));
        }
    }
    found.sort();
    found
}

/// The examples of a file: the function, and the lines under `//# function`.
fn sections(examples: &str) -> Vec<(&str, &str)> {
    let sections = examples.split("//# ").skip(1);
    sections
        .map(|section| section.split_once('\n').unwrap())
        .collect()
}

#[test]
fn every_function_of_the_library_has_a_comment_and_an_example_that_the_reference_shows() {
    let reference = Bench::new().exits(0, &["doc"]);
    for (module, text, examples) in library() {
        let functions: Vec<String> = text
            .lines()
            .filter_map(|line| line.strip_prefix("fn "))
            .map(|line| format!("{module}::{}", line.split('(').next().unwrap()))
            .collect();
        let sections = sections(&examples);
        for function in &functions {
            let example = sections.iter().find(|(name, _)| name == function);
            let (_, example) = example.unwrap_or_else(|| {
                panic!("{function} has no example: write one under the line //# {function} in stdlib/examples/{module}.rhai")
            });
            assert!(
                reference.contains(example.trim()),
                "`runbook doc` does not show the example of {function}: see cli/doc/examples.rs"
            );
        }
        for (name, _) in sections {
            assert!(
                functions.iter().any(|function| function == name),
                "{name} is not in the library"
            );
        }
    }
}

#[test]
fn the_examples_of_the_library_hold() {
    let library = library();
    let imports: String = library
        .iter()
        .map(|(module, ..)| format!("import \"std/{module}\" as {module};\n"))
        .collect();
    for (module, _, examples) in &library {
        let mut book = format!("runbook #{{ title: \"Examples of {module}\" }};\n{imports}");
        for (name, lines) in sections(examples) {
            let lines = lines.trim();
            book.push_str(&format!(
                "step \"{name}\" {{\nlet holds = {{\n{lines}\n}};\nensure(holds, \"{name}\");\n}}\n"
            ));
        }
        let bench = Bench::new();
        bench.write("library.rhai", &book);
        bench.exits(0, &["run", "library.rhai", "--lab", LAB, "--yes"]);
    }
}
