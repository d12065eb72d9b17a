//! What a reader sees when a word of the language, a header or a flag is misused: every message, a snapshot a family.
//! How errors look in a run, and those of the interpreter, are in `errors.rs`; of the state directory, `errors_state.rs`.

#[path = "support/bench.rs"]
mod bench;

use bench::{Bench, LAB, said};

const HEADER: &str = "runbook #{ title: \"T\" };\nlet h = host(\"localhost\");\n";

/// Runs each text, and compares everything that is said with the family's snapshot.
fn family(name: &str, extra: &[&str], cases: &[(&str, String)]) {
    let bench = Bench::new();
    bench.write("twice.conf", "a = 1\na = 2\n");
    std::fs::write(bench.path().join("bytes"), b"a\xffb\n").unwrap();
    bench.write("list.yaml", "- 1\n- 2\n");
    let directory = bench.path().display().to_string();
    let mut told = String::new();
    for (what, text) in cases {
        bench.write("t.rhai", &text.replace("[DIR]", &directory));
        let output = bench.run(&[&["run", "t.rhai"], extra].concat());
        let said = said(&output);
        let from = said.find("error").map_or(0, |at| {
            let line = said[..at].rfind('\n').map_or(0, |line| line + 1);
            // In the block at the end the failure is told before; the error itself stands at the beginning of a line.
            said[line..]
                .find("\nerror")
                .map_or(at, |next| line + next + 1)
        });
        let status = output.status.code().unwrap();
        assert_ne!(status, 0, "{what}: {said}");
        told.push_str(&format!(
            "## {what}: exit status {status}\n{}\n",
            &said[from..]
        ));
    }
    shown(name, &told.replace(&directory, "[DIR]"));
}

fn shown(name: &str, text: &str) {
    let runs = regex::Regex::new(r"\d{8}-\d{6}-[a-z0-9]{6}").unwrap();
    let text = runs.replace_all(text, "[RUN]").into_owned();
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path("snapshots/errors");
    settings.bind(|| insta::assert_snapshot!(name, text));
}

fn bodies(cases: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let text = |body: &str| format!("{HEADER}{body}\n");
    cases
        .iter()
        .map(|(what, body)| (*what, text(body)))
        .collect()
}

/// Bodies that need no host.
fn cluster(cases: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let text = |body: &str| format!("runbook #{{ title: \"T\" }};\n{body}\n");
    cases
        .iter()
        .map(|(what, body)| (*what, text(body)))
        .collect()
}

#[test]
fn commands_and_their_options() {
    family(
        "words_commands",
        &[],
        &bodies(&[
            ("an empty command", "h.run(\"\");"),
            ("an empty array", "h.run([]);"),
            (
                "nothing as an argument",
                "let x = ();\nh.run([\"echo\", x]);",
            ),
            (
                "a map as an argument",
                "let x = #{};\nh.run([\"echo\", x]);",
            ),
            ("a NUL byte", "h.run(\"a\\x00b\");"),
            ("env that is no map", "h.run([\"true\"], #{ env: 5 });"),
            (
                "env with a bad name",
                "h.run([\"true\"], #{ env: #{ \"a-b\": \"x\" } });",
            ),
            (
                "affects that is a number",
                "h.run([\"true\"], #{ affects: 5 });",
            ),
            (
                "a duration that is an array",
                "h.run([\"true\"], #{ timeout: [] });",
            ),
            (
                "a duration without a unit",
                "h.run([\"true\"], #{ timeout: \"5\" });",
            ),
            (
                "a duration with an unknown unit",
                "h.run([\"true\"], #{ timeout: \"5 years\" });",
            ),
            (
                "a duration the wrong way round",
                "h.run([\"true\"], #{ timeout: \"1m1h\" });",
            ),
            (
                "an empty duration",
                "h.run([\"true\"], #{ timeout: \"\" });",
            ),
            (
                "nothing in a shell's text",
                "let x = ();\nh.run(sh `echo ${x}`);",
            ),
            ("sleep", "sleep(1);"),
            ("timestamp", "let t = timestamp();"),
        ]),
    );
}

#[test]
fn files_and_hosts() {
    family(
        "words_files",
        &[],
        &bodies(&[
            ("a path that ends in a slash", "h.file(\"/etc/\").read();"),
            ("a path with a NUL byte", "h.file(\"/etc/\\x00\").read();"),
            ("a file that is no text", "h.file(\"[DIR]/bytes\").read();"),
            (
                "a key that stands twice",
                "h.file(\"[DIR]/twice.conf\").set_line(\"a\", \"3\");",
            ),
            (
                "a value with a line break",
                "h.file(\"[DIR]/new.conf\").set_line(\"a\", \"1\\n2\");",
            ),
            (
                "an empty key",
                "h.file(\"[DIR]/new.conf\").set_line(\"\", \"1\");",
            ),
            (
                "a strange separator",
                "h.file(\"[DIR]/new.conf\").set_line(\"a\", \"1\", \"=>\");",
            ),
            (
                "a key in a list",
                "h.file(\"[DIR]/list.yaml\").set_yaml(\"a\", 1);",
            ),
            (
                "a number as a key",
                "h.file(\"[DIR]/list.yaml\").set_yaml(5, 1);",
            ),
            (
                "edit without a text",
                "h.file(\"[DIR]/twice.conf\").edit(|text| 5);",
            ),
            (
                "finish inside edit",
                "h.file(\"[DIR]/twice.conf\").edit(|text| finish(\"x\"));",
            ),
            ("a host without a name", "let n = \"\";\nhost(n);"),
            (
                "a host with a space in its name",
                "let n = \"a b\";\nhost(n);",
            ),
            (
                "a host that looks like an option",
                "let n = \"-x\";\nhost(n);",
            ),
        ]),
    );
}

#[test]
fn changes_waits_and_values() {
    family(
        "words_changes",
        &[],
        &bodies(&[
            (
                "a target that is no host",
                "change(#{ target: 5, what: \"x\", want: 1, observe: || 1, apply: |to| 1 });",
            ),
            (
                "finish inside a change",
                "change(#{ what: \"x\", want: 1, observe: || finish(\"x\"), apply: |to| 1 });",
            ),
            (
                "finish inside a wait",
                "wait_until(\"x\", #{ timeout: \"1s\" }, || finish(\"x\"));",
            ),
            (
                "a command inside apply",
                "change(#{ what: \"x\", want: 1, observe: || 2, apply: |to| h.file(\"[DIR]/x\").write(\"x\") });",
            ),
            ("a closure in a table", "table(\"x\", [#{ a: || 1 }]);"),
            (
                "a number without an end",
                "table(\"x\", [#{ a: 1.0 / 0.0 }]);",
            ),
            (
                "a value that is too deep",
                "let x = 1;\nfor i in 0..99 { x = [x]; }\ntable(\"x\", [#{ a: x }]);",
            ),
            ("a path that is a number", "let m = #{ a: 1 };\nat(m, 5);"),
            ("a secret with a bad name", "let n = \"a b\";\nsecret(n);"),
        ]),
    );
}

#[test]
fn words_of_the_cluster() {
    family(
        "words_cluster",
        &["--lab", LAB, "--yes"],
        &cluster(&[
            (
                "an empty patch",
                "kube.patch(\"deployments.apps\", \"apps\", \"media\", #{});",
            ),
            (
                "a patch of a status",
                "kube.patch(\"deployments.apps\", \"apps\", \"media\", #{ status: #{ replicas: 1 } });",
            ),
            ("a kind that is empty", "kube.list(\"\", #{});"),
            (
                "a kind that is misspelt",
                "kube.list(\"pots\", #{ namespace: \"apps\" });",
            ),
            ("no namespace", "kube.get(\"pods\", \"x\");"),
            ("no name", "kube.get(\"pods\", \"apps\", \"\");"),
            (
                "an object that is not there",
                "kube.patch(\"pods\", \"apps\", \"nowhere\", #{ spec: #{ a: 1 } });",
            ),
            (
                "a condition that is none",
                "kube.wait(\"pods\", \"apps\", \"x\", \"rady!\", #{ timeout: \"1s\" });",
            ),
            (
                "a label with a bad key",
                "kube.label(\"nodes\", \"\", \"k3s-server-1\", #{ \"a b\": \"c\" });",
            ),
            (
                "a label with a bad value",
                "kube.label(\"nodes\", \"\", \"k3s-server-1\", #{ a: \"b c\" });",
            ),
            (
                "a restart of a pod",
                "kube.rollout_restart(\"pods\", \"apps\", \"x\");",
            ),
            (
                "a deletion without the uid",
                "kube.delete(\"pods\", \"apps\", \"x\", #{});",
            ),
            (
                "an object without a kind",
                "kube.create(#{ apiVersion: \"v1\", metadata: #{ name: \"x\" } });",
            ),
            (
                "an option that is misspelt",
                "kube.list(\"pods\", #{ namspace: \"apps\" });",
            ),
            ("a wait without a timeout", "wait_until(\"x\", || true);"),
        ]),
    );
}

#[test]
fn headers() {
    let with = |parameter: &str| {
        format!("runbook #{{ title: \"T\", params: #{{ {parameter} }} }};\nnote(\"x\");\n")
    };
    family(
        "words_headers",
        &[],
        &[
            ("a name that is none", with("\"a-b\": #{ default: 1 }")),
            (
                "required, with a default",
                with("a: #{ default: 1, required: true }"),
            ),
            (
                "a pattern for a number",
                with("a: #{ default: 1, pattern: \"x\" }"),
            ),
            ("bounds for a text", with("a: #{ default: \"x\", min: 1 }")),
            ("a choice without choices", with("a: #{ type: \"choice\" }")),
            (
                "choices of a number",
                with("a: #{ type: \"int\", choices: [\"a\"] }"),
            ),
            ("a default that is a map", with("a: #{ default: #{} }")),
        ],
    );
}

#[test]
fn flags_and_arguments() {
    let bench = Bench::new();
    bench.write("t.rhai", "runbook #{ title: \"T\" };\nconfirm(\"Go on?\", #{ name: \"go\" });\nchoose(\"Which?\", [\"a\", \"b\"], #{ name: \"which\" });\n");
    bench.write("hosts.yaml", "hosts:\n  web-1: { address: 192.0.2.1 }\n");
    std::fs::create_dir(bench.path().join("empty")).unwrap();
    let mut told = String::new();
    for (what, arguments) in [
        (
            "an answer that is none",
            &["run", "t.rhai", "--answer", "go=perhaps"][..],
        ),
        (
            "an answer that is no",
            &["run", "t.rhai", "--answer", "go=no"],
        ),
        (
            "an answer that is no choice",
            &["run", "t.rhai", "-y", "--answer", "which=c"],
        ),
        (
            "a limit of nothing",
            &["run", "t.rhai", "-i", "hosts.yaml", "-l", ""],
        ),
        (
            "a limit that is misspelt",
            &["run", "t.rhai", "-i", "hosts.yaml", "-l", "wed-1"],
        ),
        (
            "a lab and an inventory",
            &["run", "t.rhai", "--lab", LAB, "-i", "hosts.yaml"],
        ),
        (
            "no connection at all",
            &["run", "t.rhai", "--parallel", "0"],
        ),
        ("a flag that is misspelt", &["run", "t.rhai", "--dry-rum"]),
        ("a flag of another command", &["status", "--dry-run"]),
        ("a name that is none", &["new", "Bad_Name"]),
        ("neither a run nor a plan", &["show", "nothing"]),
        ("a folder without tests", &["test", "empty"]),
        (
            "a report into no folder",
            &["report", "--out", "no/such/report.md"],
        ),
    ] {
        let output = bench.run(arguments);
        let text = said(&output);
        let from = text
            .rfind("\nerror")
            .map_or_else(|| text.find("error").unwrap_or(0), |at| at + 1);
        let status = output.status.code().unwrap();
        assert_ne!(status, 0, "{what}: {text}");
        told.push_str(&format!(
            "## {what}: exit status {status}\n{}\n",
            &text[from..]
        ));
    }
    shown(
        "words_flags",
        &told.replace(&bench.path().display().to_string(), "[DIR]"),
    );
}
