//! Broken runbooks, parameters and inventories, through the real program: each ends with 64 and an error that says
//! where, what and what to do, and nothing is touched. The snapshots are what the user reads.

#[path = "support/bench.rs"]
mod bench;

use bench::{Bench, said, tree};

/// Files to write and the command line to use.
struct Case {
    name: &'static str,
    files: Vec<(&'static str, String)>,
    arguments: Vec<&'static str>,
}

const HEADER: &str =
    "runbook #{ title: \"Test\", params: #{ size: #{ default: 1, help: \"a number\" } } };";

fn book(body: &str) -> String {
    format!("{HEADER}\n{body}\n")
}

/// A runbook with this body under the header.
fn body(name: &'static str, body: &str) -> Case {
    Case {
        name,
        files: vec![("broken.rhai", book(body))],
        arguments: vec!["run", "broken.rhai"],
    }
}

/// A runbook of just this text.
fn whole(name: &'static str, text: &str) -> Case {
    Case {
        name,
        files: vec![("broken.rhai", text.to_owned())],
        arguments: vec!["run", "broken.rhai"],
    }
}

/// A good runbook with this command line behind it.
fn line(name: &'static str, arguments: &[&'static str]) -> Case {
    let mut all = vec!["run", "good.rhai"];
    all.extend(arguments);
    Case {
        name,
        files: vec![(
            "good.rhai",
            "runbook #{ title: \"Good\", params: #{ size: #{ default: 1, help: \"a number\" }, \
             mode: #{ choices: [\"fast\", \"safe\"], default: \"safe\" }, wait: #{ type: \"duration\", default: \"5m\" } } };\n\
             note(\"hello\");\n"
                .to_owned(),
        )],
        arguments: all,
    }
}

/// A good runbook on this inventory.
fn inventory(name: &'static str, text: &str) -> Case {
    Case {
        name,
        files: vec![
            ("good.rhai", book("note(\"hello\");")),
            ("hosts.yaml", text.to_owned()),
        ],
        arguments: vec!["run", "good.rhai", "-i", "hosts.yaml"],
    }
}

fn runbooks() -> Vec<Case> {
    let mut circle = body("import_in_a_circle", "import \"a\" as a;");
    circle
        .files
        .push(("a.rhai", "import \"b\" as b;\n".to_owned()));
    circle
        .files
        .push(("b.rhai", "import \"a\" as a;\n".to_owned()));
    let mut acting = body("module_that_acts", "import \"acts\" as acts;");
    acting
        .files
        .push(("acts.rhai", "note(\"I act\");\n".to_owned()));
    let mut inside = body(
        "error_inside_a_module",
        "import \"mine\" as mine;\nmine::f();",
    );
    inside
        .files
        .push(("mine.rhai", "fn f() {\n    nodee(\"a\");\n}\n".to_owned()));
    vec![
        body("syntax", "let x = ;"),
        body("unclosed_block", "step \"a\" {\n    note(\"b\");"),
        body("unclosed_text", "note(\"hello);"),
        body("unknown_function", "step \"a\" { nodee(1); }"),
        body("wrong_number_of_arguments", "step \"a\" { note(1, 2); }"),
        body(
            "unknown_parameter_in_the_script",
            "step \"a\" { param(\"sise\"); }",
        ),
        body(
            "unknown_host_in_the_script",
            "step \"a\" { host(\"localhots\"); }",
        ),
        body(
            "unknown_group_in_the_script",
            "step \"a\" { hosts(\"web\"); }",
        ),
        body("unknown_variable", "step \"a\" { let y = x; }"),
        body("switch", "switch 1 { 1 => 2 }"),
        body("eval", "eval(\"1\");"),
        body("unknown_standard_module", "import \"std/k3\" as k3s;"),
        body("missing_module", "import \"missing\" as m;"),
        body(
            "module_outside_of_the_folder",
            "import \"../outside\" as m;",
        ),
        body(
            "unknown_function_of_a_module",
            "import \"std/mtu\" as mtu;\nmtu::podz(1, \"vxlan\");",
        ),
        body("module_that_is_not_imported", "mtu::pods(1, \"vxlan\");"),
        body("computed_import", "let name = \"mtu\";\nimport name as m;"),
        circle,
        acting,
        inside,
        body("two_headers", "runbook #{ title: \"Second\" };"),
        whole("no_header", "note(\"hello\");\n"),
        whole("header_without_title", "runbook #{ description: \"x\" };\n"),
        whole(
            "unknown_key_in_the_header",
            "runbook #{ title: \"T\", parms: #{} };\n",
        ),
        whole(
            "unknown_type_of_a_parameter",
            "runbook #{ title: \"T\", params: #{ a: #{ type: \"integer\" } } };\n",
        ),
        whole(
            "default_of_another_type",
            "runbook #{ title: \"T\", params: #{ a: #{ type: \"int\", default: \"many\" } } };\n",
        ),
        whole(
            "unknown_key_of_a_parameter",
            "//! What it does.\nrunbook #{\n    title: \"T\",\n    params: #{\n        \
             mode: #{ choice: [\"fast\", \"safe\"] },\n    },\n};\n",
        ),
        whole("empty_file", ""),
    ]
}

fn command_lines() -> Vec<Case> {
    vec![
        line("parameter_of_the_wrong_type", &["-e", "size=big"]),
        line("parameter_that_is_no_choice", &["-e", "mode=fats"]),
        line("parameter_that_is_no_duration", &["-e", "wait=soon"]),
        line("unknown_parameter", &["-e", "sizr=1"]),
        line("parameter_without_a_value", &["-e", "size"]),
        line("limit_to_nobody", &["-l", "nobody"]),
        line("unknown_lab", &["--lab", "k3s-double-tunel"]),
        line("missing_inventory", &["-i", "nowhere.yaml"]),
        line("unknown_flag", &["--dry-rum"]),
        Case {
            name: "unknown_runbook",
            files: vec![],
            arguments: vec!["run", "tailscale-mut.rhai"],
        },
    ]
}

fn inventories() -> Vec<Case> {
    vec![
        inventory(
            "inventory_with_bad_yaml",
            "hosts:\n  a: {address: x\n  b: [\n",
        ),
        inventory(
            "inventory_with_an_unknown_key",
            "hosts:\n  a: {adress: x}\n",
        ),
        inventory("inventory_with_a_tab", "hosts:\n\ta: {}\n"),
        inventory(
            "inventory_with_a_key_twice",
            "hosts:\n  a: {address: x}\n  a: {address: y}\n",
        ),
        inventory(
            "inventory_with_an_unknown_transport",
            "hosts:\n  a: {transport: telnet}\n",
        ),
        inventory(
            "inventory_with_a_bad_host_name",
            "hosts:\n  \"-oProxyCommand=x\": {}\n",
        ),
        inventory(
            "inventory_with_a_group_of_nobody",
            "hosts:\n  a: {}\ngroups:\n  web: [a, bb]\n",
        ),
        inventory(
            "inventory_with_groups_in_a_circle",
            "hosts:\n  a: {}\ngroups:\n  one: [two]\n  two: [one]\n",
        ),
        inventory(
            "inventory_with_a_port_that_is_none",
            "hosts:\n  a: {address: x, port: 70000}\n",
        ),
        inventory("inventory_that_is_a_list", "- a\n- b\n"),
    ]
}

fn check(cases: Vec<Case>) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path("snapshots/broken");
    let _bound = settings.bind_to_scope();
    for case in cases {
        let bench = Bench::new();
        for (name, text) in &case.files {
            bench.write(name, text);
        }
        let before = tree(bench.path());
        let output = bench.run(&case.arguments);
        let text = said(&output).replace(&bench.path().display().to_string(), "[DIR]");
        assert_eq!(output.status.code(), Some(64), "{}\n{text}", case.name);
        let made: Vec<_> = tree(bench.path())
            .into_iter()
            .filter(|entry| !before.contains(entry))
            .map(|(path, _)| path)
            .collect();
        assert!(made.is_empty(), "{}: made {made:?}", case.name);
        insta::assert_snapshot!(case.name, text);
    }
}

#[test]
fn broken_runbooks() {
    check(runbooks());
}

#[test]
fn broken_command_lines() {
    check(command_lines());
}

#[test]
fn broken_inventories() {
    check(inventories());
}
