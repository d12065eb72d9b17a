//! What the README shows runs as it stands there.

#[path = "support/bench.rs"]
mod bench;

use bench::Bench;

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
