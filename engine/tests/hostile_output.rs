//! A hostile target cannot reach the operator's terminal, memory or files: what it says is shown, never obeyed.

#[path = "support/bench.rs"]
mod bench;

use std::process::Output;

use bench::{Bench, said};

/// Says it all: clears the screen, sets the title, colours by C1, overwrites a line, turns letters round, hides.
const EVIL: &str = r"\033[2J\033]0;owned\007\302\2331;31m good\rBAD \342\200\256txt\342\200\213 \b\b\177 \377\376 end";

/// Nothing in it can steer a terminal.
fn harmless(what: &str, output: &Output) {
    for (stream, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        let text = std::str::from_utf8(bytes)
            .unwrap_or_else(|error| panic!("{what}: {stream} is not text: {error}"));
        let bad = text.chars().enumerate().find(|(_, c)| {
            (c.is_control() && *c != '\n')
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        });
        if let Some((at, character)) = bad {
            let near: String = text.chars().skip(at.saturating_sub(60)).take(100).collect();
            panic!("{what}: {stream} has {character:?} in {near:?}");
        }
    }
}

fn book(body: &str) -> String {
    format!(
        "runbook #{{ title: \"Test\" }};\nlet h = host(\"localhost\");\nlet evil = h.probe(\"printf '{}'\").stdout;\n{body}\n",
        EVIL.replace('\\', "\\\\")
    )
}

#[test]
fn whatever_a_target_says_is_shown_and_not_obeyed() {
    // Body, and the exit status that it ends with.
    let bodies = [
        ("step \"note\" { note(evil); note(`it said ${evil}`); }", 0),
        (
            "step \"table\" { table(evil, [#{ name: evil, other: [evil] }]); }",
            0,
        ),
        (
            "step \"value\" { h.run([\"printf\", \"%s\", evil]); h.run(sh `echo ${evil} >&2`); }",
            0,
        ),
        ("step \"titled \" { step evil { note(\"x\"); } }", 0),
        ("step \"branches\" { each([evil], |e| note(\"x\")); }", 0),
        (
            "step \"file\" { h.file(\"/DIR/f\").write(evil); h.file(\"/DIR/f\").write(evil + \"2\"); }",
            0,
        ),
        (
            "step \"path\" { h.file(\"/DIR/\" + evil).write(\"x\"); }",
            0,
        ),
        ("step \"ensure\" { ensure(false, evil); }", 1),
        ("step \"expect\" { expect(evil, evil, \"good\"); }", 1),
        (
            "step \"failed\" { h.run(sh `echo ${evil}; echo ${evil} >&2; exit 3`); }",
            1,
        ),
        (
            "step \"probe\" { h.probe(sh `echo ${evil} >&2; exit 3`); }",
            1,
        ),
        (
            "step \"missing\" { h.file(\"/DIR/none/\" + evil).write(\"x\"); }",
            1,
        ),
        ("step \"host\" { host(evil); }", 1),
        (
            "step \"wait\" { wait_until(evil, #{ timeout: \"1s\", every: \"1s\" }, || false); }",
            1,
        ),
        ("step \"throw\" { throw evil; }", 1),
        ("step \"confirm\" { confirm(evil); }", 3),
        ("step \"choose\" { choose(evil, [evil, \"b\"]); }", 3),
        ("step \"done\" { finish(evil); }", 0),
    ];
    for (body, status) in bodies {
        let bench = Bench::new();
        let directory = bench.path().display().to_string();
        let body = body.replace("/DIR", &directory);
        bench.write("evil.rhai", &book(&body));
        for extra in [&["--dry-run", "-D"][..], &["-D", "-v"], &["-o", "json"]] {
            let output = bench.run(&[&["run", "evil.rhai"], extra].concat());
            harmless(&format!("{body} {extra:?}"), &output);
            if !extra.contains(&"--dry-run") {
                assert_eq!(
                    output.status.code(),
                    Some(status),
                    "{body}\n{}",
                    said(&output)
                );
            }
        }
        let run = bench.newest();
        for arguments in [
            &["list"][..],
            &["status", &run],
            &["show", &run],
            &["show", &run, "--json"],
            &["verify", &run],
            &["undo", &run, "--dry-run"],
            &["resume", &run],
            &["undo", &run, "--yes"],
            &["show", &run],
        ] {
            harmless(&format!("{body} {arguments:?}"), &bench.run(arguments));
        }
    }
}

/// The most memory that a child of this process ever had, in KiB.
fn peak_of(output: &str) -> u64 {
    output
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or_else(|| panic!("no VmHWM in {output}"))
}

#[test]
fn a_target_that_never_stops_talking_fills_no_memory() {
    // A gigabyte in lines is three hundred million events; one endless line is the harder case and the quick one.
    for (name, text) in [
        (
            "run",
            "h.run(\"head -c 1073741824 /dev/zero | tr '\\\\000' x\");",
        ),
        (
            "run, error stream",
            "h.run(\"head -c 1073741824 /dev/zero >&2\");",
        ),
        ("probe", "h.probe(\"head -c 1073741824 /dev/zero\");"),
        ("file", "h.file(\"DIR/large\").read();"),
    ] {
        let bench = Bench::new();
        let large = std::fs::File::create(bench.path().join("large")).unwrap();
        large.set_len(1 << 30).unwrap();
        let text = text.replace("DIR", &bench.path().display().to_string());
        // The last operation reads how much its own parent, the engine, has used.
        bench.write(
            "large.rhai",
            &format!(
                "runbook #{{ title: \"Large\" }};\nlet h = host(\"localhost\");\nstep \"s\" {{ try {{ {text} }} catch {{ }} \
                 note(h.probe(\"p=$$; while read -r k v < /proc/$p/comm && [ $k != runbook ]; do p=$(sed -n 's/^PPid:.//p' /proc/$p/status); done; grep VmHWM /proc/$p/status\").stdout); }}\n"
            ),
        );
        let output = bench.run(&["run", "large.rhai", "-o", "json"]);
        let events = String::from_utf8_lossy(&output.stdout);
        let said_it = events
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .find(|event| event["event"] == "note")
            .unwrap_or_else(|| panic!("{name}: {}", said(&output)));
        let peak = peak_of(said_it["text"].as_str().unwrap());
        assert!(peak < 300 << 10, "{name}: {peak} KiB");
        assert!(
            output.stdout.len() + output.stderr.len() < 64 << 20,
            "{name}"
        );
    }
}

#[test]
fn paths_that_a_target_names_are_never_opened_here() {
    // A name that means something on this machine: a script, an inventory, a module and a state directory would be
    // files of the operator's; what a target says is none of these, wherever it is used.
    let bench = Bench::new();
    let trap = bench.path().join("trap");
    let made = std::process::Command::new("mkfifo")
        .arg(&trap)
        .status()
        .unwrap();
    assert!(made.success());
    // Whoever opens the pipe waits for ever; the run must end by itself.
    bench.write(
        "named.rhai",
        &format!(
            "runbook #{{ title: \"Named\" }};\nlet h = host(\"localhost\");\nlet said = h.probe([\"printf\", \"%s\", \"{0}\"]).stdout;\n\
             step \"s\" {{ note(said); table(said, [#{{ path: said }}]); expect(\"path\", said, \"{0}\"); ensure(!said.is_empty(), said); h.file(said).exists(); \
             try {{ h.file(said).read(); }} catch {{ }} }}\n",
            trap.display()
        ),
    );
    let output = bench.command(&["run", "named.rhai"]).output().unwrap();
    assert!(
        matches!(output.status.code(), Some(0 | 1)),
        "{}",
        said(&output)
    );
    assert!(!said(&output).contains("lost"), "{}", said(&output));
}
