//! A command inside a `change` whose connection is lost, and which arrives later all the same: it must not bring back
//! what a later change of the same thing has replaced.

#[path = "support/bench.rs"]
mod bench;

use bench::{Bench, LAB, said};

const BOOK: &str = r#"runbook #{ title: "A level" };
let node = host("k3s-agent-1");
step "Raise it" {
    change(#{
        target: node,
        what: "the level",
        want: "two",
        observe: || trimmed(node.probe("cat /tmp/level").stdout),
        apply: |to| node.run(sh `echo ${to} > /tmp/level`),
    });
}
step "Raise it again" { node.file("/tmp/level").write("three\n"); }
step "Later" {
    node.run(["sleep", "60"]);
    expect("the level", trimmed(node.probe("cat /tmp/level").stdout), "three");
}
"#;

#[test]
fn a_command_of_a_change_that_arrives_late_is_too_late() {
    let mut lost = 0;
    // Whatever contact it is that is lost and arrives after half a minute; among them the one that applies.
    for nth in 2..=10 {
        let bench = Bench::new();
        let setup = "runbook #{ title: \"Before\" };\nhost(\"k3s-agent-1\").file(\"/tmp/level\").write(\"one\\n\");\n";
        bench.write("before.rhai", setup);
        bench.write("level.rhai", BOOK);
        bench.exits(0, &["run", "before.rhai", "--lab", LAB, "--yes"]);
        let output = bench
            .command(&["run", "level.rhai", "--lab", LAB, "--yes"])
            .env("RUNBOOK_LAB_FAULT", format!("delay:k3s-agent-1:{nth}:30"))
            .output()
            .unwrap();
        let mut text = said(&output);
        let mut done = output.status.success();
        for _ in 0..4 {
            if done {
                break;
            }
            let resumed = bench.run(&["resume", "--yes"]);
            text += &said(&resumed);
            done = resumed.status.success();
        }
        assert!(done, "contact {nth} lost\n{text}");
        lost += usize::from(text.contains("lost") || text.contains("fault of the lab"));
    }
    assert!(lost > 0, "no contact was lost");
}
