//! Becoming another user by sudo.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::process::{Command as Process, Stdio};
use std::time::Duration;

use runbook::model::{
    FileImage, FileState, HostName, OperationId, OperationKey, RunId, Target, TargetPath,
};
use runbook::transport::{
    Actor, Cancel, Command, Completion, Exit, InFlight, Launch, LocalLink, LocalTarget, Observer,
    Program, SilentSink, TransportError,
};
use support::shells::runtime;

const LONG: Duration = Duration::from_secs(30);

fn shell(text: &str) -> Command {
    Command {
        program: Program::Shell(text.into()),
        ..Command::argv([""])
    }
}

/// A local target as `user`, with a `sudo` of the test's own.
fn with_sudo(user: &str, sudo: &str) -> (tempfile::TempDir, LocalTarget) {
    let directory = tempfile::TempDir::new().unwrap();
    let program = directory.path().join("sudo");
    std::fs::write(&program, format!("#!/bin/sh\n{sudo}\n")).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!(
        "{}:{}",
        directory.path().display(),
        std::env::var("PATH").unwrap()
    );
    let link = LocalLink::new(here(), runtime().handle().clone()).with_variable("PATH", path);
    let target = LocalTarget::new(link, Some(user.into()));
    (directory, target)
}

fn here() -> Target {
    Target::Host(HostName::parse("here").unwrap())
}

#[test]
fn sudo_is_asked_without_a_password() {
    let (_directory, target) = with_sudo(
        "it's me",
        r#"echo lecture >&2; export ASKED="$1 $2 $3 $4 $5"; shift 5; exec "$@""#,
    );
    let output = target
        .probe(&shell("echo \"$ASKED\""), LONG, &Cancel::default())
        .unwrap();
    assert_eq!(output.stdout.text(), "-n -H -u it's me --\n");
    assert_eq!(
        output.stderr.text(),
        "",
        "what sudo says is not the command's"
    );
}

#[test]
fn a_refusal_by_sudo_says_what_to_do() {
    let (_directory, target) =
        with_sudo("admin", "echo 'sudo: a password is required' >&2; exit 1");
    match target.probe(&shell("true"), LONG, &Cancel::default()) {
        Err(TransportError::Refused { why, .. }) => {
            assert!(why.contains("a password is required"), "{why}");
            assert!(why.contains("NOPASSWD"), "{why}");
        }
        other => panic!("{other:?}"),
    }
}

/// This machine as `nobody`, where that is possible.
fn nobody() -> Option<(tempfile::TempDir, LocalTarget)> {
    let possible = Process::new("sudo")
        .args(["-n", "-u", "nobody", "--", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !possible {
        eprintln!("SKIPPED: sudo does not let us become nobody here");
        return None;
    }
    let directory = tempfile::TempDir::new().unwrap();
    std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let link = LocalLink::new(here(), runtime().handle().clone());
    let target = LocalTarget::new(link, Some("nobody".into()))
        .with_marker_directory(directory.path().join("markers").to_str().unwrap());
    Some((directory, target))
}

fn ids(state: &FileState) -> (u32, u32) {
    match state {
        FileState::Present(image) => (image.uid, image.gid),
        FileState::Absent => panic!("absent"),
    }
}

#[test]
fn everything_happens_as_that_user() {
    let Some((directory, target)) = nobody() else {
        return;
    };
    let probe = |text: &str| {
        let output = target
            .probe(&shell(text), LONG, &Cancel::default())
            .unwrap();
        output.stdout.text().trim().to_owned()
    };
    assert_eq!(probe("id -un"), "nobody");
    let uid: u32 = probe("id -u").parse().unwrap();
    let gid: u32 = probe("id -g").parse().unwrap();
    let launch = Launch {
        marker: OperationId::derive(
            &RunId::parse("run").unwrap(),
            1,
            &OperationKey("become".into()),
        ),
        attempt: 1,
        epoch: 1,
        command: shell("id -un; exit 3"),
        timeout: Some(LONG),
        detach: false,
    };
    let completion = target
        .launch(&launch, &SilentSink, &Cancel::default())
        .unwrap();
    let Completion::Ended(output) = completion else {
        panic!("{completion:?}")
    };
    assert_eq!(
        (output.exit, output.stdout.text().as_str()),
        (Exit::Code(3), "nobody\n")
    );
    assert_eq!(
        target.inquire(&launch.marker, 1).unwrap(),
        InFlight::Ended(output)
    );
    let path =
        |name: &str| TargetPath::parse(directory.path().join(name).to_str().unwrap()).unwrap();
    let mine = FileState::Present(FileImage {
        content: b"x".into(),
        mode: 0o400,
        uid,
        gid,
        selinux: None,
    });
    target
        .replace_file(&path("mine"), &FileState::Absent, &mine)
        .unwrap();
    assert_eq!(ids(&target.read_file(&path("mine")).unwrap()), (uid, gid));
}

#[test]
fn a_lack_of_rights_is_no_absence() {
    let Some((directory, target)) = nobody() else {
        return;
    };
    if !rustix::process::getuid().is_root() {
        eprintln!("SKIPPED: only root can prepare files that nobody may not read");
        return;
    }
    let private = directory.path().join("private");
    std::fs::create_dir(&private).unwrap();
    std::fs::set_permissions(&private, PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::write(private.join("inside"), "x").unwrap();
    let unreadable = directory.path().join("unreadable");
    std::fs::write(&unreadable, "x").unwrap();
    std::fs::set_permissions(&unreadable, PermissionsExt::from_mode(0o600)).unwrap();
    let closed = directory.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o755)).unwrap();
    let path = |file: std::path::PathBuf| TargetPath::parse(file.to_str().unwrap()).unwrap();
    let refused = |result: Result<(), TransportError>| match result {
        Err(TransportError::Refused { why, .. }) => {
            assert!(why.contains("permission denied to nobody"), "{why}");
        }
        other => panic!("{other:?}"),
    };
    refused(target.read_file(&path(private.join("inside"))).map(drop));
    refused(target.stat(&path(private.join("inside"))).map(drop));
    refused(target.read_file(&path(unreadable)).map(drop));
    let wanted = FileState::Present(FileImage {
        content: Vec::new(),
        mode: 0o600,
        uid: 0,
        gid: 0,
        selinux: None,
    });
    refused(target.replace_file(&path(closed.join("new")), &FileState::Absent, &wanted));
    // What nobody may write, but not give away.
    let result = target.replace_file(
        &path(directory.path().join("given")),
        &FileState::Absent,
        &wanted,
    );
    match result {
        Err(TransportError::Refused { why, .. }) => assert!(why.contains("owner"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert!(!directory.path().join("given").exists());
}
