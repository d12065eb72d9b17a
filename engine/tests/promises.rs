//! The promises around a run: secrets that stay, edits that are seen, failures that end well.

#[path = "support/bench.rs"]
mod bench;

use bench::{Bench, said, tree};

/// A runbook with this body.
fn book(body: &str) -> String {
    format!(
        "runbook #{{ title: \"Test\", params: #{{ size: #{{ default: 1, help: \"a number\" }} }} }};\n{body}\n"
    )
}

#[test]
fn a_runaway_script_ends_with_a_clear_error() {
    let bench = Bench::new();
    bench.write("deep.rhai", &book("fn f(x) { f(x + 1) }\nf(0);"));
    assert!(
        bench
            .exits(1, &["run", "deep.rhai"])
            .contains("calls itself for ever")
    );
    bench.write("long.rhai", &book("let s = \"x\"; loop { s += s; }"));
    assert!(bench.exits(1, &["run", "long.rhai"]).contains("too large"));
}

#[test]
fn a_secret_appears_nowhere() {
    let bench = Bench::new();
    let secret = "hunter2-is'not\"safe";
    let file = bench.path().join("with-secret");
    bench.write(
        "secret.rhai",
        &book(&format!(
            "let s = secret(\"TOKEN\");\nlet h = host(\"localhost\");\nstep \"use it\" {{\n  note(`it is ${{s}}`);\n  \
             h.run(sh `echo ${{s}}; echo ${{s}} | base64 >&2`);\n  h.file(\"{}\").write(s);\n  \
             ensure(false, `broken with ${{s}}`);\n}}",
            file.display()
        )),
    );
    let run = bench
        .command(&["run", "secret.rhai", "-o", "json", "-D", "-vvv"])
        .env("RUNBOOK_SECRET_TOKEN", secret)
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(1), "{}", said(&run));
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        secret,
        "the target gets the real value"
    );
    let show = bench.run(&["show", &bench.newest(), "--json"]);
    let mut places = vec![(
        "output".to_owned(),
        [run.stdout, run.stderr, show.stdout].concat(),
    )];
    places.extend(
        tree(&bench.state())
            .into_iter()
            .map(|(path, bytes)| (path.display().to_string(), bytes)),
    );
    for (place, bytes) in places {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("hunter2"), "in {place}");
        assert!(!text.contains("aHVudGVyMi"), "in base64 in {place}");
    }
}

#[test]
fn an_edited_script_is_seen_and_can_be_accepted() {
    let bench = Bench::new();
    let path = bench.path().join("effects");
    let script = |second: &str| {
        book(&format!(
            "let h = host(\"localhost\");\nstep \"work\" {{\n  h.run(\"echo one >> {0}\");\n  {second}\n  confirm(\"go on?\");\n}}",
            path.display()
        ))
    };
    bench.write("edit.rhai", &script("note(\"old\");"));
    bench.exits(3, &["run", "edit.rhai"]);
    bench.write(
        "edit.rhai",
        &script(&format!("h.run(\"echo two >> {}\");", path.display())),
    );
    // Without the flag the pinned script goes on, and still waits for its answer.
    bench.exits(3, &["resume"]);
    let text = bench.exits(3, &["resume", "--edited"]);
    assert!(
        text.contains("reused") && text.contains("new") && text.contains("echo two"),
        "{text}"
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\n");
    bench.exits(0, &["resume", "--edited", "--yes"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
}

#[test]
fn undo_refuses_what_somebody_else_changed() {
    let bench = Bench::new();
    let path = bench.write("config", "a=1\n");
    bench.write(
        "line.rhai",
        &book(&format!(
            "step \"set\" {{ host(\"localhost\").file(\"{}\").set_line(\"a\", 2); }}",
            path.display()
        )),
    );
    bench.exits(0, &["run", "line.rhai"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a=2\n");
    std::fs::write(&path, "a=3\n").unwrap();
    let text = bench.exits(3, &["undo", &bench.newest(), "--yes"]);
    for part in ["-a=1", "+a=2", "-a=2", "+a=3", "--force"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a=3\n");
    std::fs::write(&path, "a=2\n").unwrap();
    bench.exits(0, &["undo", &bench.newest(), "--yes"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a=1\n");
}

#[test]
fn a_command_that_failed_is_not_run_again_by_itself() {
    let bench = Bench::new();
    let path = bench.path().join("effects");
    bench.write(
        "fail.rhai",
        &book(&format!(
            "step \"s\" {{ host(\"localhost\").run(\"echo x >> {}; exit 3\"); }}",
            path.display()
        )),
    );
    let text = bench.exits(1, &["run", "fail.rhai"]);
    assert!(text.contains("exited with 3"), "{text}");
    let text = bench.exits(3, &["resume"]);
    assert!(
        text.contains("resolve") && text.contains("--retry"),
        "{text}"
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "x\n");
}
