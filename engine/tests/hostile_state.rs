//! The directory of the runs holds secrets: closed to others from its first moment, refused where it is not.

#[path = "support/bench.rs"]
mod bench;

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use bench::{Bench, said};

const BOOK: &str = "runbook #{ title: \"One\" };\nstep \"s\" { host(\"localhost\").run(\"true\"); note(\"x\"); }\n";

/// Everything below a directory, itself included.
fn everything(directory: &Path) -> Vec<PathBuf> {
    let mut found = vec![directory.to_owned()];
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() && !path.is_symlink() {
            true => found.extend(everything(&path)),
            false => found.push(path),
        }
    }
    found
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("one.rhai", BOOK);
    bench
}

#[test]
fn every_file_and_directory_is_its_owners_alone_whatever_the_umask() {
    let bench = bench();
    let program = env!("CARGO_BIN_EXE_runbook");
    for arguments in [
        "run one.rhai",
        "lab reset k3s-double-tunnel",
        "run one.rhai --dry-run",
    ] {
        // The most generous umask: whatever is closed was closed by the engine itself.
        let output = bench
            .command(&[])
            .get_envs()
            .fold(
                std::process::Command::new("sh"),
                |mut shell, (name, value)| {
                    shell.env(name, value.unwrap_or_default());
                    shell
                },
            )
            .args(["-c", &format!("umask 000; exec {program} {arguments}")])
            .current_dir(bench.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
    let paths = everything(&bench.state());
    assert!(paths.len() > 5, "{paths:?}");
    for path in paths {
        let metadata = std::fs::metadata(&path).unwrap();
        let wanted = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(metadata.mode() & 0o7777, wanted, "{}", path.display());
    }
}

#[test]
fn what_others_may_use_is_refused_with_the_remedy() {
    let bench = bench();
    bench.exits(0, &["run", "one.rhai"]);
    let run = bench.newest();
    let state = bench.state();
    for (path, mode, wanted) in [
        (state.clone(), 0o755, "chmod 700"),
        (state.clone(), 0o710, "chmod 700"),
        (state.clone(), 0o1777, "chmod 700"),
        (state.join("runs"), 0o770, "chmod 700"),
        (state.join("locks"), 0o777, "chmod 700"),
        (state.join("labs"), 0o707, "chmod 700"),
    ] {
        chmod(&path, mode);
        for arguments in [
            &["run", "one.rhai"][..],
            &["list"],
            &["resume"],
            &["show", &run],
        ] {
            let output = bench.run(arguments);
            let text = said(&output);
            assert!(
                !output.status.success(),
                "{} {mode:o} {arguments:?}\n{text}",
                path.display()
            );
            assert!(text.contains(wanted), "{arguments:?}\n{text}");
        }
        chmod(&path, 0o700);
    }
    bench.exits(0, &["run", "one.rhai"]);
}

#[test]
fn a_journal_that_others_may_use_is_refused_with_the_remedy() {
    let bench = bench();
    bench.write(
        "one.rhai",
        &BOOK.replace("note(\"x\")", "confirm(\"go on?\")"),
    );
    bench.exits(3, &["run", "one.rhai"]);
    let directory = bench.state().join("runs").join(bench.newest());
    for path in everything(&directory) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let closed = std::fs::metadata(&path).unwrap().mode() & 0o7777;
        // SQLite's own companions come and go with the database.
        if name.ends_with("-wal")
            || name.ends_with("-shm")
            || !(path.is_dir() || name.contains("journal"))
        {
            continue;
        }
        chmod(&path, closed | 0o044);
        let text = bench.exits(1, &["resume", "--yes"]);
        assert!(
            text.contains("chmod") && text.contains(&name),
            "{name}\n{text}"
        );
        chmod(&path, closed);
    }
    bench.exits(0, &["resume", "--yes"]);
}

#[test]
fn what_belongs_to_somebody_else_is_refused() {
    if !rustix::process::getuid().is_root() {
        eprintln!("SKIPPED: only root can give files away");
        return;
    }
    let bench = bench();
    bench.exits(0, &["run", "one.rhai"]);
    for path in [bench.state(), bench.state().join("runs")] {
        std::os::unix::fs::chown(&path, Some(12_345), None).unwrap();
        let output = bench.run(&["run", "one.rhai"]);
        assert!(!output.status.success());
        assert!(
            said(&output).contains("belongs to the user with id 12345"),
            "{}",
            said(&output)
        );
        std::os::unix::fs::chown(&path, Some(0), None).unwrap();
    }
}

#[test]
fn a_link_to_a_directory_of_others_is_refused() {
    let bench = bench();
    let open = bench.path().join("open");
    std::fs::create_dir(&open).unwrap();
    chmod(&open, 0o777);
    symlink(&open, bench.state()).unwrap();
    let output = bench.run(&["run", "one.rhai"]);
    assert!(!output.status.success());
    assert!(said(&output).contains("chmod 700"), "{}", said(&output));
    assert_eq!(std::fs::read_dir(&open).unwrap().count(), 0);
}
