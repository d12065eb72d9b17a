//! Completions in the real shells that are here: bash always, zsh and fish where they are installed.

#[path = "support/bench.rs"]
mod bench;

use std::path::Path;
use std::process::{Command, Stdio};

use bench::Bench;

const BOOK: &str = "runbook #{ title: \"Mine\", params: #{ mode: #{ choices: [\"fast\", \"safe\"], default: \"safe\", help: \"how\" } } };
step \"First things\" { note(param(\"mode\")); }
";
const HOSTS: &str = "hosts:\n  web-1: { address: 192.0.2.1 }\n  web-2: { address: 192.0.2.2 }\ngroups:\n  front: [web-1]\n";

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("mine.rhai", BOOK);
    bench.write("hosts.yaml", HOSTS);
    bench.exits(0, &["run", "mine.rhai"]);
    bench
}

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let required = std::env::var_os("RUNBOOK_REQUIRE_SHELLS").is_some();
    assert!(found || !required, "{program} is required here");
    found
}

/// What a shell's script prints, with the program in its PATH.
fn shell(bench: &Bench, program: &str, script: &str) -> String {
    let own = Path::new(env!("CARGO_BIN_EXE_runbook")).parent().unwrap();
    let path = format!(
        "{}:{}",
        own.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let output = Command::new(program)
        .args(["-c", script])
        .current_dir(bench.path())
        .env_clear()
        .env("PATH", path)
        .env("HOME", bench.path())
        .env("LANG", "C.UTF-8")
        .env("RUNBOOK_STATE_DIR", bench.state())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What the Tab key would offer in bash for a line with the cursor at its end.
fn bash(bench: &Bench, line: &str) -> Vec<String> {
    // Words as readline splits them: `=` and `:` are words of their own.
    let script = format!(
        "source <(runbook completions bash)\nCOMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; COMP_WORDS=(runbook); COMP_CWORD=0\n\
         compopt() {{ :; }}\n_runbook\nprintf '%s\\n' \"${{COMPREPLY[@]}}\""
    );
    shell(bench, "bash", &script)
        .lines()
        .map(str::to_owned)
        .filter(|line| !line.is_empty())
        .collect()
}

#[test]
fn bash_offers_names_of_the_moment() {
    let bench = bench();
    let run = bench.newest();
    for (line, wanted) in [
        ("runbook unr", &[][..]),
        ("runbook und", &["undo"]),
        ("runbook run mine.rhai -e m", &["mode="]),
        ("runbook run mine.rhai -e mode=", &["fast", "safe"]),
        ("runbook run mine.rhai --var mode=f", &["fast"]),
        (
            "runbook run mine.rhai -i hosts.yaml -l ",
            &["all", "front", "web-1", "web-2"],
        ),
        (
            "runbook run mine.rhai -i hosts.yaml -l front,web-2",
            &["front\\,web-2"],
        ),
        (
            "runbook run x --lab k3s-double-tunnel -l k3s-s",
            &["k3s-server-1"],
        ),
        (
            "runbook lab show k3s-double-tunnel-",
            &[
                "k3s-double-tunnel-dual-stack",
                "k3s-double-tunnel-ha",
                "k3s-double-tunnel-ufw",
                "k3s-double-tunnel-wireguard",
            ],
        ),
        ("runbook undo ", &[run.as_str()]),
        ("runbook resume ", &[run.as_str()]),
        (&format!("runbook undo {run} --to F"), &["First\\ things"]),
        ("runbook check --explain RB19", &["RB190", "RB191"]),
    ] {
        assert_eq!(bash(&bench, line), wanted, "{line}");
    }
}

#[test]
fn the_bash_script_registers_itself() {
    let bench = Bench::new();
    let text = shell(
        &bench,
        "bash",
        "source <(runbook completions bash); complete -p runbook",
    );
    assert_eq!(text.trim(), "complete -F _runbook runbook");
}

#[test]
fn zsh_offers_the_same() {
    if !is_there("zsh") {
        eprintln!("zsh is not here: not tried");
        return;
    }
    let bench = bench();
    // `compadd` is only there while completing: ours writes down what it is given.
    let script = "autoload -U compinit; compinit -u -D 2>/dev/null; compdef() { :; }\n\
                  source <(runbook completions zsh)\n\
                  compadd() { local a; for a in \"$@\"; do last=$a; done; print -l -- \"${(@P)last}\"; }\n\
                  _files() { print files; }\n\
                  words=(runbook run mine.rhai -e mode=); CURRENT=5; _runbook\n\
                  words=(runbook run mine.rhai -e mo); CURRENT=5; _runbook\n\
                  words=(runbook run tailscale-); CURRENT=3; _runbook\n";
    let text = shell(&bench, "zsh", script);
    assert_eq!(
        text.lines().collect::<Vec<_>>(),
        ["mode=fast", "mode=safe", "mode=", "tailscale-mtu", "files"]
    );
}

#[test]
fn fish_offers_the_same() {
    if !is_there("fish") {
        eprintln!("fish is not here: not tried");
        return;
    }
    let bench = bench();
    let script = "runbook completions fish | source; complete -C 'runbook run mine.rhai -e mode='; complete -C 'runbook und'";
    let text = shell(&bench, "fish", script);
    let values: Vec<&str> = text
        .lines()
        .map(|line| line.split('\t').next().unwrap())
        .collect();
    assert_eq!(values, ["mode=fast", "mode=safe", "undo"]);
}

#[test]
fn manual_pages_are_written_and_readable() {
    let bench = Bench::new();
    bench.exits(0, &["man", "--out", "pages"]);
    let folder = bench.path().join("pages");
    let run = std::fs::read_to_string(folder.join("runbook-run.1")).unwrap();
    assert!(
        run.contains(".SH EXAMPLES") && run.contains("\\-\\-dry\\-run"),
        "{run}"
    );
    if is_there("groff") {
        let text = shell(&bench, "sh", "groff -man -ww -z pages/*.1 2>&1");
        assert_eq!(text, "");
    }
    insta::assert_snapshot!(
        "man_undo",
        std::fs::read_to_string(folder.join("runbook-undo.1")).unwrap()
    );
}
