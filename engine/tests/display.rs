//! What a person sees while a run works: the real program in a terminal, read back as a screen.

#[path = "support/bench.rs"]
mod bench;
#[path = "support/pty.rs"]
mod pty;

use bench::{Bench, said};
use pty::Terminal;

/// Branches that go on until the test lets them, or is gone itself: commands outlive the engine. What they say would steer
/// the terminal, if it were let.
const ROLLING: &str = r#"runbook #{ title: "Rolling restart" };
step "Prepare" { host("web-1").run(["true"]); }
step "Restart" {
    each(hosts("all"), #{ parallel: 4, max_failures: 1 }, |node| {
        step "stop" {
            if node.name == "web-3" { node.run(["false"]); }
            node.run("printf '\\033[31;1m日本語\\033[2J\\033]0;x\\007日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語\\n'; while [ -d DIR ] && ! [ -e DIR/GO ]; do sleep 0.05; done");
        }
    });
}
"#;

fn rolling(hosts: usize) -> Bench {
    let bench = Bench::new();
    bench.write("roll.rhai", &book(&bench, "go"));
    let hosts: String = (1..=hosts)
        .map(|number| format!("  web-{number}: {{ transport: local }}\n"))
        .collect();
    bench.write("hosts.yaml", &format!("hosts:\n{hosts}"));
    bench
}

/// The runbook whose branches wait for this file.
fn book(bench: &Bench, file: &str) -> String {
    let folder = bench.path().display().to_string();
    ROLLING.replace("GO", file).replace("DIR", &folder)
}

const RUN: [&str; 4] = ["run", "roll.rhai", "-i", "hosts.yaml"];

fn go(bench: &Bench) {
    bench.write("go", "");
}

#[test]
fn branches_side_by_side_in_a_usual_terminal_that_is_resized() {
    let bench = rolling(12);
    let mut terminal = Terminal::start(&bench, (80, 24), &[("NO_COLOR", "1")], &RUN);
    let asked = |screen: &str| screen.contains("What now?");
    let screen = terminal.until("the question after a failure", asked);
    assert!(
        !screen.contains("total "),
        "the display stands beside a question:\n{screen}"
    );
    terminal.press("\x1b[B\x1b[B\r");
    // web-3 was skipped, so that four others run, and the last ones wait.
    let screen = terminal.until("four branches that say something", |screen| {
        // Not their texts, which say the same without the mark of an escape.
        let says = |line: &&str| line.contains("\\x1b[");
        let speak = screen.lines().filter(says).count();
        speak >= 4 && screen.contains("waiting, 4 running")
    });
    for wanted in [
        "✓ Prepare",
        "▸ Restart",
        "web-1 ",
        "1 of 12: ",
        "· web-12",
        "total ",
    ] {
        assert!(screen.contains(wanted), "{wanted:?} is missing:\n{screen}");
    }
    // The program's escapes are shown, not obeyed: the screen was not cleared, and nothing is wider than it.
    assert!(screen.contains("\\x1b["), "{screen}");
    assert!(screen.contains("> web-"), "{screen}");
    for (columns, rows) in [(60, 16), (120, 40), (40, 10), (80, 24)] {
        terminal.resize(columns, rows);
        // A low terminal has no line that parts what goes on from what has happened, a narrow one no bar (38 columns and
        // more are taken by the numbers).
        let rule = "─".repeat(usize::from(columns) - 1);
        let drawn = |screen: &str| {
            let parted = screen.lines().any(|line| line == rule) || rows < 14;
            let counted = screen.lines().any(|line| {
                line.ends_with("  1 of 12: 1 done, 7 waiting, 4 running")
                    || line.ends_with("─ 1 of 12: 1 done, 7 waiting, 4 running")
            });
            parted && counted && screen.contains("▸ Restart") && screen.contains("\ntotal ")
        };
        terminal.until("the display in its new size", drawn);
        let screen = terminal.whole();
        assert!(screen.lines().count() <= usize::from(rows), "{screen}");
    }
    go(&bench);
    assert_eq!(terminal.end(), 0);
    let screen = terminal.whole();
    assert!(
        !screen.contains("total "),
        "the display stays behind:\n{screen}"
    );
    assert!(
        screen.contains("done in ") && screen.contains("runbook undo "),
        "{screen}"
    );
    let raw = String::from_utf8_lossy(&terminal.raw);
    assert!(
        !raw.contains("\x1b[31") && !raw.contains("\x1b]0"),
        "escapes of a command came through"
    );
    assert!(
        !raw.contains("\x1b[2m") && !raw.contains("\x1b[36m"),
        "colours in spite of NO_COLOR"
    );
}

/// A lab of many hosts.
fn fleet(hosts: usize) -> Bench {
    let bench = Bench::new();
    let host = |number: usize| {
        format!(
            "  web-{number:03}: {{ interfaces: [{{ name: eth0, kind: ethernet, mtu: 1500, addresses: [192.0.2.{number}/24] }}] }}\n"
        )
    };
    let hosts: String = (1..=hosts).map(host).collect();
    bench.write(
        "fleet/lab.yaml",
        &format!("title: many\ndescription: hosts\nstarts: 2026-03-02T03:00:00Z\nhosts:\n{hosts}"),
    );
    bench.write(
        "fleet.rhai",
        r#"runbook #{ title: "Many" };
step "Configure" {
    each(hosts("all"), #{ parallel: 20 }, |node| {
        node.file("/etc/app.conf").write("a\n");
    });
}
"#,
    );
    bench
}

const FLEET: [&str; 4] = ["run", "fleet.rhai", "--lab", "fleet"];

#[test]
fn two_hundred_hosts_never_take_more_than_the_screen() {
    let bench = fleet(200);
    // As on a disk that takes its time: else all of it is done before anything is drawn.
    let library = bench.preloaded("sim/sync_log.c");
    let slow = [("LD_PRELOAD", library.to_str().unwrap()), ("SYNC_MS", "60")];
    for (columns, rows) in [(80, 24), (200, 50)] {
        bench.run(&["lab", "reset", "fleet"]);
        let mut terminal = Terminal::start(&bench, (columns, rows), &slow, &FLEET);
        let screen = terminal.until("the branches with what is left out", |screen| {
            screen.contains(" of 200: ") && screen.contains(" more: ") && screen.contains("waiting")
        });
        assert!(screen.contains("▸ Configure"), "{screen}");
        assert!(screen.lines().count() <= usize::from(rows));
        terminal.whole();
        assert_eq!(terminal.end(), 0, "{}", terminal.screen());
        let raw = String::from_utf8_lossy(&terminal.raw);
        assert!(
            raw.contains("\x1b[36m"),
            "no colours in a terminal that has them"
        );
        let screen = terminal.whole();
        assert!(screen.contains("200 changed"), "{screen}");
    }
}

#[test]
fn a_terminal_without_unicode_gets_ascii() {
    let bench = rolling(3);
    // Long enough for the display to be drawn before the question.
    let slow = book(&bench, "go").replace(r#"["true"]"#, r#"["sleep", "1"]"#);
    bench.write("roll.rhai", &slow);
    let variables = [("LANG", "C"), ("LC_ALL", "")];
    let mut terminal = Terminal::start(&bench, (80, 24), &variables, &RUN);
    terminal.until("the question after a failure", |screen| {
        screen.contains("What now?")
    });
    let before = terminal.raw.clone();
    terminal.press("\x1b[B\x1b[B\r");
    terminal.until("two branches", |screen| {
        screen.contains("> Restart")
            && screen.contains("1 of 3: ")
            && screen.contains("| \\x1b[31;1m")
    });
    let before = String::from_utf8_lossy(&before);
    let drawn = before.split("What now?").next().unwrap_or_default();
    assert!(drawn.contains("total ") && drawn.is_ascii(), "{drawn}");
    go(&bench);
    assert_eq!(terminal.end(), 0);
}

#[test]
fn a_pipe_and_ci_get_plain_lines() {
    let bench = fleet(20);
    let output = bench.command(&FLEET).env("CI", "1").output().unwrap();
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(!text.contains('\x1b') && !text.contains('\r'), "{text}");
    assert!(
        !text.contains("total ") && !text.contains(" of 20"),
        "{text}"
    );
    assert_eq!(text.matches("  changed web-").count(), 20, "{text}");
    bench.run(&["lab", "reset", "fleet"]);
    // The same in a terminal, in CI: somebody reads it later.
    let mut terminal = Terminal::start(&bench, (80, 24), &[("CI", "true")], &FLEET);
    assert_eq!(terminal.end(), 0);
    let raw = String::from_utf8_lossy(&terminal.raw);
    assert!(!raw.contains('\x1b'), "{raw}");
    assert_eq!(raw.matches("  changed web-").count(), 20);
}

#[test]
fn the_log_goes_through_the_display() {
    let bench = rolling(3);
    bench.write(
        "roll.rhai",
        &book(&bench, ".").replace("node.name == \"web-3\"", "false"),
    );
    let mut terminal = Terminal::start(
        &bench,
        (100, 30),
        &[("NO_COLOR", "1")],
        &["-vv", "run", "roll.rhai", "-i", "hosts.yaml"],
    );
    assert_eq!(terminal.end(), 0);
    let text = terminal.screen();
    assert!(text.contains("DEBUG runbook::"), "{text}");
    // A line of the log begins where a line begins.
    for line in text.lines().filter(|line| line.contains("DEBUG runbook::")) {
        assert!(
            line.trim_start().starts_with("20"),
            "torn: {line:?}\n{text}"
        );
    }
    terminal.whole();
    let quiet = bench
        .command(&RUN)
        .env("RUNBOOK_LOG", "runbook=trace")
        .output()
        .unwrap();
    assert!(said(&quiet).contains("TRACE runbook::"), "{}", said(&quiet));
}
