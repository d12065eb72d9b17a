//! A target whose place for markers is full, or cannot be written: no command begins that could not be asked about, and
//! the run goes on when there is room. Needs root: the place is a small file system in a mount namespace of its own.

#[path = "support/bench.rs"]
mod bench;

use std::process::Stdio;

use bench::Bench;

/// Runs both scripts in the namespace, `more` in between; gives what they said, and their exit statuses.
fn told(bench: &Bench, options: &str, fill: &str, free: &str) -> Option<String> {
    if !rustix::process::getuid().is_root() {
        eprintln!("SKIPPED: needs root");
        return None;
    }
    let effects = bench.path().join("effects");
    bench.write(
        "one.rhai",
        &format!(
            "runbook #{{ title: \"One\" }};\nstep \"s\" {{ host(\"localhost\").run(\"echo ran >> {}\"); }}\n",
            effects.display()
        ),
    );
    let program = env!("CARGO_BIN_EXE_runbook");
    let script = format!(
        "mkdir -p /var/lib/runbook && mount -t tmpfs -o {options} tmpfs /var/lib/runbook || exit 99\n{fill}\n\
         {program} run one.rhai; echo \"first $?\"; wc -l <effects\n{free}\n{program} resume; echo \"second $?\""
    );
    let template = bench.command(&[]);
    let mut command = std::process::Command::new("unshare");
    command
        .args(["-m", "sh", "-c", &script])
        .current_dir(bench.path())
        .env_clear();
    for (name, value) in template.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = bench::said(&output);
    if output.status.code() == Some(99) || said.contains("unshare failed") {
        eprintln!("SKIPPED: no mount namespaces here: {said}");
        return None;
    }
    Some(said)
}

#[test]
fn a_full_place_for_markers_begins_nothing_and_loses_nothing() {
    let bench = Bench::new();
    let fill = "head -c 1000000 /dev/zero >/var/lib/runbook/fill 2>/dev/null; : >effects";
    let Some(said) = told(
        &bench,
        "size=64k,mode=700",
        fill,
        "rm /var/lib/runbook/fill",
    ) else {
        return;
    };
    // It did not begin, and nobody needs to decide anything.
    assert!(said.contains("first 4\n0\n"), "{said}");
    assert!(said.contains("is the disk full?"), "{said}");
    assert!(said.contains("second 0\n"), "{said}");
    assert_eq!(
        std::fs::read_to_string(bench.path().join("effects")).unwrap(),
        "ran\n"
    );
}

#[test]
fn a_place_for_markers_that_cannot_be_written_is_named() {
    let bench = Bench::new();
    let Some(said) = told(
        &bench,
        "ro,mode=700",
        ": >effects",
        "mount -o remount,rw /var/lib/runbook",
    ) else {
        return;
    };
    assert!(said.contains("first 1\n0\n"), "{said}");
    assert!(
        said.contains("/var/lib/runbook/ops cannot be made"),
        "{said}"
    );
}
