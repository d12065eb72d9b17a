//! A recorded text is replayed as it was, also where it looks like what stands for a secret in the journal.

mod support;

#[path = "support/bench.rs"]
mod bench;

use bench::{Bench, said};

#[test]
fn a_value_that_looks_like_the_mark_of_a_secret_is_the_same_when_it_is_replayed() {
    let bench = Bench::new();
    bench.write(
        "book.rhai",
        "runbook #{ title: \"Marks\" };\n\
         let password = secret(\"PASSWORD\");\n\
         let said = host(\"localhost\").run([\"printf\", \"%s\", \"‹secret PASSWORD›\"]);\n\
         note(`${said.stdout.len} characters`);\n\
         throw \"on purpose\";\n",
    );
    for words in [
        ["run", "book.rhai", "--yes"].as_slice(),
        &["resume", "--yes"],
    ] {
        let output = bench
            .command(words)
            .env("RUNBOOK_SECRET_PASSWORD", "hunter2-hunter2")
            .output()
            .unwrap();
        let text = said(&output);
        assert!(text.contains("on purpose"), "{text}");
        assert!(!text.contains("diverged"), "{text}");
    }
}
