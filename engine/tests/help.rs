//! `--help` of the commands for authors, as people read it. That every command shows how it is used, and fits into 80
//! columns, is tested beside the definition of the command line.

#[path = "support/bench.rs"]
mod bench;

use bench::Bench;

#[test]
fn what_people_read() {
    let bench = Bench::new();
    for name in ["check", "doc", "completions", "man"] {
        let mut process = bench.command(&[name, "--help"]);
        process.env("COLUMNS", "80");
        let output = process.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}");
        insta::assert_snapshot!(
            format!("help_{name}"),
            String::from_utf8(output.stdout).unwrap()
        );
    }
}
