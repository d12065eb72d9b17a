//! Questions: what a person is shown before she answers, and what is said where nobody is there.

#[path = "support/bench.rs"]
mod bench;
#[path = "support/pty.rs"]
mod pty;

use bench::{Bench, said};
use pty::Terminal;
use serde_json::Value as Json;

const BOOK: &str = r#"runbook #{ title: "Ask me" };
let here = host("localhost");
step "Stage" { here.file(PLACE + "/one").write("a\n"); }
step "Restart" {
    confirm("Traffic stops for a minute");
    each(["a", "b"], |name| { here.file(PLACE + "/two-" + name).write("b\n"); });
    here.run(["true"]);
}
step "More" {
    confirm("And now the rest?");
    here.file(PLACE + "/three").write("c\n");
}
step "Last" { confirm("Well done?"); }
"#;

fn bench() -> Bench {
    let bench = Bench::new();
    let place = format!("{:?}", bench.path().display().to_string());
    bench.write("ask.rhai", &BOOK.replace("PLACE", &place));
    bench
}

fn there(bench: &Bench) -> Vec<&'static str> {
    let all = ["one", "two-a", "two-b", "three"];
    let there = |name: &&str| bench.path().join(name).exists();
    all.into_iter().filter(there).collect()
}

/// How often a text is said.
fn times(text: &str, wanted: &str) -> usize {
    text.matches(wanted).count()
}

#[test]
fn an_unanswered_question_is_told_once_with_what_it_lets_happen_and_how_to_answer() {
    let bench = bench();
    let text = bench.exits(3, &["run", "ask.rhai"]);
    assert_eq!(times(&text, "Traffic stops for a minute"), 1, "{text}");
    assert!(
        !text.contains("FAILED") && !text.contains("error:"),
        "{text}"
    );
    let run = bench.newest();
    let answer = format!("runbook resume {run} --yes");
    let shown = text.find("write ").map(|_| ()).and(text.find("two-a"));
    assert!(
        shown.is_some() && text.contains("two-b") && text.contains("true"),
        "{text}"
    );
    assert!(
        !text.contains("three"),
        "more than up to the next question:\n{text}"
    );
    assert_eq!(times(&text, &answer), 1, "{text}");
    assert!(bench.exits(0, &["status"]).contains(&answer));
    // Looking ahead did nothing, and left nothing in the record.
    assert_eq!(there(&bench), ["one"]);
    let text = bench.exits(0, &["resume", &run, "--yes"]);
    assert_eq!(there(&bench), ["one", "two-a", "two-b", "three"]);
    assert!(
        !text.contains("will change"),
        "asked although it was answered:\n{text}"
    );
}

#[test]
fn programs_are_told_how_a_question_is_answered() {
    let bench = Bench::new();
    bench.write(
        "choose.rhai",
        "runbook #{ title: \"T\" };\nchoose(\"Which?\", [\"a\", \"b\"], #{ name: \"it's\" });\n",
    );
    let output = bench.run(&["run", "choose.rhai", "-o", "json"]);
    assert_eq!(output.status.code(), Some(3));
    let lines = String::from_utf8(output.stdout).unwrap();
    let ended = lines
        .lines()
        .map(|line| serde_json::from_str::<Json>(line).unwrap());
    let asked = ended
        .into_iter()
        .find(|event| event["outcome"] == "unanswered");
    let flag = asked.expect("no question waits")["flag"].clone();
    let words = shlex::split(flag.as_str().unwrap()).unwrap();
    assert_eq!(words, ["--answer", "it's=VALUE"]);
    let text = bench.exits(3, &["resume", &words[0], "it's=c"]);
    assert!(
        text.contains("\"c\" is no answer") && text.contains("choices: a, b"),
        "{text}"
    );
    bench.exits(0, &["resume", &words[0], "it's=b"]);
}

#[test]
fn approval_shows_what_is_about_to_change() {
    let bench = bench();
    let mut terminal = Terminal::start(&bench, (100, 30), &[], &["run", "ask.rhai"]);
    let asks = |text: &'static str| move |screen: &str| screen.contains(&format!("? {text}"));
    let screen = terminal.until("the first question", asks("Traffic stops"));
    let list = screen.split("What will change").nth(1).unwrap_or_default();
    assert!(
        list.starts_with(" before the next question (And now the rest?):"),
        "{screen}"
    );
    for wanted in [
        "change  localhost: write ",
        "two-a",
        "two-b",
        "run     localhost: true",
    ] {
        assert!(list.contains(wanted), "{wanted:?} is missing:\n{screen}");
    }
    assert_eq!(there(&bench), ["one"]);
    terminal.press("y\r");
    let screen = terminal.until("the second question", asks("And now the rest?"));
    let list = screen.rsplit("What will change").next().unwrap_or_default();
    assert!(
        list.contains("three") && !list.contains("two-a"),
        "{screen}"
    );
    terminal.press("y\r");
    let screen = terminal.until("the last question", asks("Well done?"));
    assert!(
        screen.contains("Nothing is known to change to the end of the runbook."),
        "{screen}"
    );
    terminal.press("n\r");
    assert_eq!(terminal.end(), 3);
    let screen = terminal.screen();
    assert_eq!(times(&screen, "not approved: Well done?"), 1, "{screen}");
    assert!(!screen.contains("FAILED"), "{screen}");
}

#[test]
fn a_run_is_walked_through() {
    let bench = bench();
    let arguments = ["run", "ask.rhai", "--step", "--yes"];
    let mut terminal = Terminal::start(&bench, (100, 40), &[], &arguments);
    let asks = |number: usize| {
        move |screen: &str| {
            times(screen, "next localhost: ") == number && screen.contains("? Do it?")
        }
    };
    let screen = terminal.until("the first effect", asks(1));
    assert!(screen.contains("+a"), "no diff:\n{screen}");
    assert_eq!(there(&bench), [""; 0], "done before it was asked about");
    terminal.press("\r");
    terminal.until("the second effect", asks(2));
    assert_eq!(there(&bench), ["one"]);
    terminal.press("\x1b[A\r");
    assert_eq!(terminal.end(), 3);
    let screen = terminal.screen();
    assert_eq!(
        times(&screen, "stopped before localhost: write "),
        1,
        "{screen}"
    );
    assert_eq!(there(&bench), ["one"]);
    // It goes on there, and can be let go.
    let mut terminal = Terminal::start(&bench, (100, 40), &[], &["resume", "--step", "--yes"]);
    terminal.until("the effect that was not done", |screen| {
        screen.contains("two-a")
    });
    terminal.press("\x1b[B\r");
    assert_eq!(terminal.end(), 0, "{}", terminal.screen());
    assert_eq!(there(&bench), ["one", "two-a", "two-b", "three"]);
    assert_eq!(times(&terminal.screen(), "? Do it?"), 0);
}

#[test]
fn nobody_walks_without_a_terminal() {
    let bench = bench();
    for arguments in [
        &["run", "ask.rhai", "--step"][..],
        &["run", "ask.rhai", "--step", "--dry-run"],
    ] {
        let text = bench.exits(64, arguments);
        assert!(text.contains("--step asks before each effect"), "{text}");
    }
    assert_eq!(there(&bench), [""; 0]);
}

#[test]
fn a_run_takes_one_line_of_a_list() {
    let bench = bench();
    bench.write(
        "long.rhai",
        "runbook #{ title: \"Ein sehr langer Titel mit 日本語 in einer Zeile, die nicht reicht\" };\nstep \"Check it\" { ensure(false, \"no\"); }\n",
    );
    bench.exits(1, &["run", "long.rhai"]);
    bench.exits(3, &["run", "ask.rhai"]);
    let list = |columns: &str| {
        let output = bench
            .command(&["list"])
            .env("COLUMNS", columns)
            .output()
            .unwrap();
        said(&output)
    };
    let short = list("80");
    let lines: Vec<&str> = short.lines().collect();
    assert_eq!(lines.len(), 2, "{short}");
    assert!(
        lines[0].contains("  now     to decide   Ask me on local host"),
        "{short}"
    );
    assert!(
        lines[1].contains("  now     FAILED      Ein sehr langer Titel"),
        "{short}"
    );
    for line in &lines {
        let wide = line.chars().filter(|letter| *letter > '\u{2fff}').count();
        assert!(line.chars().count() + wide <= 80, "{line}");
    }
    assert!(
        list("200").contains("on local host, in Check it"),
        "{}",
        list("200")
    );
}
