//! What a reader sees when a run fails, and when a command is misused: through the real program, each with the exit
//! status. Broken texts and inventories are in `broken.rs`.

#[path = "support/bench.rs"]
mod bench;

use bench::{Bench, said};

const HEADER: &str = "runbook #{ title: \"T\", params: #{ name: #{ default: \"a\" } } };\n";
const HERE: &str = "let h = host(\"localhost\");\n";
const MINE: &str = "fn deep(h) { inner(h) }
fn inner(h) {
    h.probe([\"cat\", \"/no/such/file\"])
}
fn acts(h) { each([1], |x| { h.run(\"echo out; echo wrong >&2; exit 3\") }) }
fn lost(maps) { maps.filter(|x| x.name.nam == 1) }
";

/// The error, or the question that waits, at the end of what a command said, without what differs from run to run.
fn error_of(bench: &Bench, text: &str) -> String {
    let text = text.replace(&bench.path().display().to_string(), "[DIR]");
    if text.starts_with("error") {
        return text;
    }
    if let Some(from) = text.find("\nerror") {
        return text[from + 1..].to_owned();
    }
    let from = text.find("\na person must decide").map_or(0, |at| at + 1);
    let run = regex::Regex::new(r"\d{8}-\d{6}-[0-9a-z]{6}").unwrap();
    let took = regex::Regex::new(r"decide in \d+\.\d s").unwrap();
    let text = run.replace_all(&text[from..], "RUN");
    took.replace_all(&text, "decide in N s").into_owned()
}

fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path("snapshots/errors");
    settings
}

/// Runs a body under the header and compares the error with its snapshot.
fn fails(name: &str, status: i32, body: &str) {
    let bench = Bench::new();
    bench.write("mine.rhai", MINE);
    bench.write("bad.yaml", "a: [\n");
    let body = body.replace("[DIR]", &bench.path().display().to_string());
    bench.write("t.rhai", &format!("{HEADER}{body}\n"));
    let text = bench.exits(status, &["run", "t.rhai"]);
    settings().bind(|| insta::assert_snapshot!(name, error_of(&bench, &text)));
}

#[test]
fn call_chains_lead_through_modules_and_closures() {
    fails(
        "probe_in_a_module",
        1,
        &format!("import \"mine\" as mine;\n{HERE}step \"Look\" {{ mine::deep(h); }}"),
    );
    fails(
        "run_in_a_closure_of_a_module",
        1,
        &format!("import \"mine\" as mine;\n{HERE}step \"Act\" {{ mine::acts(h); }}"),
    );
    fails(
        "property_in_a_closure_of_a_module",
        1,
        "import \"mine\" as mine;\nstep \"Look\" { mine::lost([#{ name: #{ x: 1 } }]); }",
    );
    fails(
        "inner_step",
        1,
        &format!("{HERE}step \"A\" {{ step \"B\" {{ h.file(\"/no/such\").read(); }} }}"),
    );
    fails(
        "branch",
        1,
        &format!(
            "{HERE}each([\"a\"], |x| {{ step \"B\" {{ h.probe([\"cat\", `/no/${{x}}`]); }} }});"
        ),
    );
    fails(
        "two_branches",
        1,
        &format!(
            "{HERE}each([\"a\", \"b\"], #{{ stop_after: 2 }}, |x| {{ h.probe([\"cat\", `/no/${{x}}`]); }});"
        ),
    );
    // The step that failed first was caught: it is not where the run ended.
    fails(
        "after_a_caught_one",
        1,
        "try { step \"A\" { throw \"first\"; } } catch { note(\"caught\"); }\nthrow \"second\";",
    );
}

#[test]
fn claims_and_throws() {
    fails("expect", 1, "step \"V\" { expect(\"the size\", 1, 2); }");
    fails(
        "ensure",
        1,
        "step \"V\" { ensure(1 > 2, \"one is more than two\"); }",
    );
    fails("throw", 1, "step \"V\" { throw \"no good\"; }");
}

#[test]
fn the_interpreter_is_told_in_words() {
    for (name, body) in [
        (
            "nothing_plus_one",
            "let x = ();\nstep \"V\" { note(`${x + 1}`); }",
        ),
        ("text_times_two", "let x = \"a\";\nnote(`${x * 2}`);"),
        ("text_that_is_no_host", "let x = \"a\";\nx.probe([\"a\"]);"),
        ("index_out_of_bounds", "let x = [1];\nnote(`${x[3]}`);"),
        (
            "missing_property",
            "let x = #{ name: 1 };\nnote(`${x.nmae}`);",
        ),
        ("division_by_zero", "note(`${1 / 0}`);"),
        ("endless_recursion", "fn f(x) { f(x + 1) }\nf(1);"),
        ("parse_json", "parse_json(\"{\");"),
    ] {
        fails(name, 1, body);
    }
}

#[test]
fn targets_refuse() {
    for (name, body) in [
        ("file_that_is_not_there", "h.file(\"/no/such\").read();"),
        (
            "directory_that_is_not_there",
            "h.file(\"/no/such/dir/f\").write(\"x\");",
        ),
        (
            "yaml_that_is_none",
            "h.file(\"[DIR]/bad.yaml\").set_yaml(\"a\", 1);",
        ),
        (
            "command_that_takes_too_long",
            "h.probe([\"sleep\", \"60\"], #{ timeout: \"200ms\" });",
        ),
        (
            "wait_in_vain",
            "wait_until(\"it comes\", #{ timeout: \"200ms\", every: \"50ms\" }, || h.file(\"/no/such\").exists());",
        ),
        (
            "change_without_effect",
            "change(#{ what: \"x\", want: 1, observe: || 2, apply: |to| h.run([\"true\"]) });",
        ),
    ] {
        fails(name, 1, &format!("{HERE}{body}"));
    }
    fails(
        "cluster_without_a_kubeconfig",
        4,
        "kube.list(\"pods\", #{});",
    );
}

#[test]
fn words_are_misused() {
    for (name, body) in [
        ("relative_path", "h.file(\"etc/x\").read();"),
        (
            "misspelt_option",
            "h.run([\"true\"], #{ unles: [\"true\"] });",
        ),
        ("number_as_command", "h.run(5);"),
        (
            "command_in_observe",
            "change(#{ what: \"x\", want: 1, observe: || h.run([\"true\"]), apply: |to| 1 });",
        ),
        ("quoting_without_a_text", "let x = \"a\";\nh.probe(sh x);"),
        ("table_of_numbers", "table(\"x\", [1]);"),
        ("misspelt_host", "let n = \"localhots\";\nhost(n);"),
        ("misspelt_parameter", "let n = \"nmae\";\nparam(n);"),
        ("missing_group", "let n = \"web\";\nhosts(n);"),
        ("missing_variable", "h.var(\"rack\");"),
        ("missing_secret", "secret(\"TOKEN\");"),
    ] {
        fails(name, 1, &format!("{HERE}{body}"));
    }
    fails(
        "nobody_to_confirm",
        3,
        "confirm(\"Go on?\", #{ name: \"go\" });",
    );
    fails(
        "nobody_to_choose",
        3,
        "choose(\"Which?\", [\"a\", \"b\"], #{ name: \"which\" });",
    );
}

#[test]
fn runs_that_are_not_there() {
    let bench = Bench::new();
    bench.write(
        "kubeconfig.rhai",
        "runbook #{ title: \"T\" };\nnote(\"x\");\n",
    );
    for (name, arguments) in [
        ("nothing_to_resume", &["resume"][..]),
        ("nothing_to_show", &["status"]),
        ("nothing_to_report", &["report"]),
        ("unknown_run", &["undo", "20260101-000000-aaaaaa"]),
        ("misspelt_file", &["run", "kubeconfg.rhai"]),
        ("misspelt_lab", &["lab", "reset", "k3s-dubble-tunnel"]),
        ("misspelt_command", &["resum"]),
        ("misspelt_code", &["check", "--explain", "read-as-rum"]),
        (
            "missing_var_file",
            &["run", "kubeconfig.rhai", "--var-file", "nowhere.yaml"],
        ),
        (
            "answer_without_a_value",
            &["run", "kubeconfig.rhai", "--answer", "go"],
        ),
    ] {
        let text = bench.exits(64, arguments);
        settings().bind(|| insta::assert_snapshot!(name, error_of(&bench, &text)));
    }
}

#[test]
fn runs_that_are_misused() {
    let bench = Bench::new();
    let made = bench.path().join("made");
    bench.write(
        "t.rhai",
        &format!("{HEADER}{HERE}step \"Write\" {{ h.file(\"{}\").write(\"x\"); }}\nensure(false, \"it is so\");\n", made.display()),
    );
    bench.exits(1, &["run", "t.rhai"]);
    let run = bench.newest();
    // Another name than its own, whatever that ends with.
    let other = if run.ends_with('z') { 'y' } else { 'z' };
    let near = format!("{}{other}", &run[..run.len() - 1]);
    let shown = |name: &str, status: i32, arguments: &[&str]| {
        let text = bench.exits(status, arguments);
        let text = error_of(&bench, &text)
            .replace(&run, "[RUN]")
            .replace(&near, "[NEAR]");
        settings().bind(|| insta::assert_snapshot!(name, text));
    };
    shown("misspelt_run", 64, &["show", &near]);
    shown(
        "resolve_without_an_operation",
        64,
        &["resolve", &run, "0123456789abcdef", "--done"],
    );
    shown(
        "resolve_with_no_operations_name",
        64,
        &["resolve", &run, "xyz", "--done"],
    );
    shown(
        "undo_to_a_misspelt_step",
        64,
        &["undo", &run, "--to", "Wirte", "--yes"],
    );
    shown("undo_that_nobody_approves", 3, &["undo", &run]);
    bench.exits(0, &["undo", &run, "--yes"]);
    shown("resume_of_what_was_undone", 64, &["resume", &run]);
}

#[test]
fn hosts_that_cannot_be_reached() {
    let bench = Bench::new();
    // Nothing listens at port 1.
    bench.write(
        "hosts.yaml",
        "hosts:\n  a: { address: 127.0.0.1, port: 1 }\n",
    );
    bench.write(
        "t.rhai",
        &format!("{HEADER}step \"Look\" {{ host(\"a\").probe([\"true\"]); }}\n"),
    );
    let output = bench.run(&["run", "t.rhai", "-i", "hosts.yaml"]);
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    let text = error_of(&bench, &said(&output));
    settings().bind(|| insta::assert_snapshot!("host_that_refuses", text));
}
