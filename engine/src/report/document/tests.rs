use super::*;
use crate::report::document::{html, markdown};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_770_000_000 + seconds).unwrap()
}

fn operation(summary: &str, outcome: OutcomeWord) -> OperationReport {
    OperationReport {
        id: "0123456789abcdef".into(),
        class: Class::Command,
        kind: "host.run".into(),
        target: "web-1".into(),
        branch: String::new(),
        summary: summary.into(),
        source: "book.rhai:3:5".into(),
        attempt: 1,
        at: at(1),
        ended: at(4),
        deadline: None,
        outcome,
        note: String::new(),
        diff: None,
        output: None,
        failure: None,
        undo: false,
    }
}

fn report(operations: Vec<OperationReport>) -> RunReport {
    RunReport {
        schema: SCHEMA,
        run: "20260202-030405-aaaaaa".into(),
        title: "A <b>title</b> & more".into(),
        on: "hosts.yaml".into(),
        state: "FAILED".into(),
        message: "it `broke`".into(),
        started: at(0),
        last: at(8),
        counts: Counts::default(),
        environment: Environment {
            engine: "0.1.0".into(),
            sources: vec!["book.rhai".into()],
            parameters: vec![("size".into(), "1".into(), "default".into())],
            limit: None,
            context: None,
        },
        sessions: Vec::new(),
        decisions: Vec::new(),
        tables: vec![TableReport {
            title: "Sizes".into(),
            columns: vec!["name".into(), "a|b".into()],
            rows: vec![vec!["x".into(), "1".into()]],
        }],
        steps: vec![StepReport {
            title: vec!["Do it".into()],
            status: "failed".into(),
            started: Some(at(0)),
            ended: Some(at(7)),
            worked_ms: Some(7_000),
            operations,
        }],
    }
}

/// Texts that targets, hosts and authors could choose.
const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "```\n# not a heading\n```",
    "\u{1b}[2Jgone\u{202e}txt",
    "![x](http://example.invalid/a.png) [y](javascript:1) | cell",
    "</pre></details></body>",
];

#[test]
fn nothing_that_is_told_becomes_markup() {
    for text in HOSTILE {
        let mut hostile = operation(text, OutcomeWord::Failed);
        hostile.target = (*text).into();
        hostile.branch = (*text).into();
        hostile.note = (*text).into();
        hostile.diff = Some(format!("--- {text}\n+++ b\n-{text}\n+{text}"));
        hostile.output = Some(((*text).into(), (*text).into()));
        hostile.failure = Some(((*text).into(), (*text).into(), (*text).into()));
        let report = report(vec![hostile]);
        let page = html::render(&report);
        let own = html::render(&self::report(vec![operation(
            "harmless",
            OutcomeWord::Failed,
        )]));
        for mark in [
            "<script",
            "<img",
            "</body",
            "</pre></details>",
            "javascript:1)\"",
            "\u{1b}",
            "\u{202e}",
        ] {
            let expected = own.matches(mark).count();
            assert_eq!(page.matches(mark).count(), expected, "{mark} from {text:?}");
        }
        let text_form = markdown::render(&report);
        assert!(
            !text_form.contains("\u{1b}") && !text_form.contains("\u{202e}"),
            "{text_form}"
        );
        assert!(
            !text_form.lines().any(|line| line == "# not a heading"),
            "{text_form}"
        );
        assert!(
            !text_form.lines().any(|line| line.starts_with('<')),
            "{text_form}"
        );
    }
}

#[test]
fn the_page_loads_nothing() {
    let page = html::render(&report(vec![operation("true", OutcomeWord::Ran)]));
    for word in [
        "http:", "https:", "src=", "url(", "@import", "<link", "<script",
    ] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("default-src 'none'"));
    assert!(page.contains("A &lt;b&gt;title&lt;/b&gt; &amp; more"));
}

#[test]
fn what_failed_lies_open_and_the_rest_is_folded() {
    let mut failed = operation("false", OutcomeWord::Failed);
    failed.failure = Some(("it exited with 1".into(), String::new(), String::new()));
    let mut changed = operation("set x", OutcomeWord::Changed);
    changed.diff = Some("-a\n+b".into());
    let page = html::render(&report(vec![failed, changed]));
    assert_eq!(page.matches("<details open>").count(), 1);
    assert_eq!(page.matches("<details>").count(), 1);
    assert!(page.contains("<span class=\"plus\">+b</span>"));
}

#[test]
fn a_large_run_stays_small_enough() {
    let many = (0..5_000)
        .map(|number| operation(&format!("true {number}"), OutcomeWord::Ran))
        .collect();
    let page = html::render(&report(many));
    // A browser shows a few megabytes at once; the chart has no more bars than it can.
    assert!(page.len() < 3 << 20, "{} bytes", page.len());
    assert!(page.matches("<rect").count() <= 2_000);
}

#[test]
fn markdown_tells_what_was_done() {
    let mut changed = operation("set x", OutcomeWord::Changed);
    changed.class = Class::Change;
    changed.diff = Some("-a\n+b".into());
    let text = markdown::render(&report(vec![
        changed,
        operation("already", OutcomeWord::Already),
    ]));
    insta::assert_snapshot!(text);
}
