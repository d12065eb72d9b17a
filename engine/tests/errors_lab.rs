//! What a reader sees when a lab's files have a mistake: the file, the line and the column, in which of the files that a
//! lab is made of it may be.

#[path = "support/bench.rs"]
mod bench;

use bench::{Bench, said};

const HEAD: &str = "title: t\ndescription: d\nstarts: 2026-03-02T03:00:00Z\nhosts:\n  a:\n";

#[test]
fn each_mistake_is_shown_where_it_is_written() {
    let own = |rest: &str| format!("{HEAD}{rest}");
    let variant = |rest: &str| format!("extends: k3s-double-tunnel\n{rest}");
    let mistakes = [
        ("no YAML", own("    interfaces: [\n")),
        ("no map", "- a\n".to_owned()),
        (
            "a text for a number",
            own("    interfaces:\n      - { name: eth0, kind: ethernet, mtu: many }\n"),
        ),
        (
            "an unknown key",
            own("    interfaces: []\n    unknwon: 3\n"),
        ),
        ("a missing key", own("    role: plain\n")),
        (
            "an unknown role",
            own("    role: boss\n    interfaces: []\n"),
        ),
        (
            "a role without k3s",
            own("    role: server\n    pod_subnet: 10.42.0.0/24\n    interfaces: []\n"),
        ),
        (
            "a bad address",
            own(
                "    interfaces:\n      - { name: eth0, kind: ethernet, mtu: 1500, addresses: [192.168.1.300/24] }\n",
            ),
        ),
        (
            "a bad mode",
            own("    interfaces: []\n    files:\n      /etc/x: { content: a, mode: \"9\" }\n"),
        ),
        ("an unknown base", "extends: k3s-double-tunel\n".to_owned()),
        (
            "a mistake that the base shows",
            variant("hosts: { k3s-agent-1: null }\n"),
        ),
        (
            "no subnet",
            variant("hosts:\n  k3s-agent-1:\n    pod_subnet: here\n"),
        ),
        ("like nobody", variant("hosts:\n  x:\n    like: y\n")),
        ("a bad fault", variant("faults:\n  - nonsense\n")),
        (
            "an object without a name",
            variant("objects:\n  - { apiVersion: v1, kind: Service }\n"),
        ),
    ];
    let mut text = String::new();
    for (what, lab) in mistakes {
        let bench = Bench::new();
        bench.write("lab/lab.yaml", &lab);
        text.push_str(&format!("## {what}\n{}\n", refused(&bench)));
    }
    for (what, behaviour) in [
        (
            "a program that cannot be read",
            "program \"x\" |host, args| {\n    if\n};\n",
        ),
        (
            "a service that does not start",
            "on_restart \"x\" |host| { throw \"no\"; };\n",
        ),
    ] {
        let bench = Bench::new();
        bench.write(
            "lab/lab.yaml",
            &own("    interfaces: []\n    units:\n      x: { description: X }\n"),
        );
        bench.write("lab/x.rhai", behaviour);
        text.push_str(&format!("## {what}\n{}\n", refused(&bench)));
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path("snapshots/errors");
    settings.bind(|| insta::assert_snapshot!("labs", text));
}

fn refused(bench: &Bench) -> String {
    let output = bench.run(&["lab", "show", "./lab"]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(64), "{text}");
    assert!(output.stdout.is_empty(), "{text}");
    text
}
