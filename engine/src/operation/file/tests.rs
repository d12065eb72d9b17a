use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::model::HostName;
use crate::transport::{
    Captured, Clock, ClusterObserver, HostAccess, HostFleet, Route, SystemClock, TransportError,
};

/// This machine, by its real shell, and a directory that goes when the test ends.
struct Place {
    directory: tempfile::TempDir,
    fleet: HostFleet,
    _runtime: tokio::runtime::Runtime,
}

fn target() -> Target {
    Target::Host(HostName::parse("here").unwrap())
}

impl Place {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let access = HostAccess {
            route: Route::Local,
            become_user: None,
        };
        let hosts = BTreeMap::from([(HostName::parse("here").unwrap(), access)]);
        let fleet = HostFleet::new(hosts, 1, runtime.handle().clone());
        Self {
            directory: tempfile::tempdir().unwrap(),
            fleet,
            _runtime: runtime,
        }
    }

    fn path(&self, name: &str) -> TargetPath {
        TargetPath::parse(self.directory.path().join(name).to_str().unwrap()).unwrap()
    }

    fn put(&self, name: &str, content: &[u8]) {
        std::fs::write(self.path(name).as_str(), content).unwrap();
    }

    fn get(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.path(name).as_str()).ok()
    }

    fn look(&self, name: &str, question: FileQuestion) -> Result<Value, Failure> {
        LookAtFile {
            target: target(),
            path: self.path(name),
            question,
        }
        .observe(&self.fleet, &Cancel::default())
    }

    fn change<'a>(&self, name: &str, edit: FileEdit<'a>) -> ChangeFile<'a> {
        ChangeFile::new(target(), self.path(name), edit)
    }

    /// Observes, applies and observes again, as an executor does; whether anything had to be changed.
    fn perform(&self, change: &ChangeFile<'_>) -> Result<bool, Failure> {
        let cancel = Cancel::default();
        let before = change.observe(&self.fleet, &cancel)?;
        let after = change.wanted(&before)?;
        if change.reached(&after, &before) {
            return Ok(false);
        }
        change.apply(&self.fleet, &before, &after, &cancel)?;
        let now = change.observe(&self.fleet, &cancel)?;
        assert!(change.reached(&after, &now), "{after:?}\n{now:?}");
        assert!(
            change.reached(&change.wanted(&now)?, &now),
            "not the same the second time"
        );
        Ok(true)
    }
}

fn message(failure: Failure) -> String {
    match failure {
        Failure::Failed(report) => {
            format!("{} {}", report.message, report.hint.unwrap_or_default())
        }
        other => panic!("{other:?}"),
    }
}

fn yaml(key: &str, value: impl Into<Value>) -> FileEdit<'static> {
    FileEdit::SetYaml {
        path: vec![key.into()],
        value: value.into(),
    }
}

fn line(key: &str, value: &str) -> FileEdit<'static> {
    FileEdit::SetLine {
        key: key.into(),
        value: value.into(),
        separator: "=".into(),
    }
}

#[test]
fn looks_at_files() {
    let place = Place::new();
    place.put("x", b"text\n");
    assert_eq!(
        place.look("x", FileQuestion::Read).unwrap(),
        Value::from("text\n")
    );
    assert_eq!(
        place.look("x", FileQuestion::Exists).unwrap(),
        Value::Bool(true)
    );
    let stat = place.look("x", FileQuestion::Stat).unwrap();
    assert_eq!(stat.get("kind"), Some(&Value::from("file")));
    assert_eq!(stat.get("size"), Some(&Value::Int(5)));
    assert_eq!(
        stat.get("mode").and_then(Value::as_text).map(str::len),
        Some(4)
    );
    assert!(
        matches!(stat.get("modified"), Some(Value::Int(seconds)) if *seconds > 1_500_000_000),
        "{stat:?}"
    );
    assert_eq!(
        place.look("no", FileQuestion::Exists).unwrap(),
        Value::Bool(false)
    );
    assert_eq!(place.look("no", FileQuestion::Stat).unwrap(), Value::Null);
    let directory = place.directory.path().to_str().unwrap();
    let look = LookAtFile {
        target: target(),
        path: TargetPath::parse(directory).unwrap(),
        question: FileQuestion::Stat,
    };
    let stat = look.observe(&place.fleet, &Cancel::default()).unwrap();
    assert_eq!(stat.get("kind"), Some(&Value::from("directory")));
}

#[test]
fn says_why_a_file_cannot_be_read() {
    let place = Place::new();
    place.put("bytes", b"ab\xff");
    let error = message(place.look("no", FileQuestion::Read).unwrap_err());
    assert!(
        error.contains("is not there") && error.contains("exists()"),
        "{error}"
    );
    let error = message(place.look("bytes", FileQuestion::Read).unwrap_err());
    assert!(
        error.contains("byte 3 of 3 is not UTF-8") && error.contains("use a command"),
        "{error}"
    );
}

#[test]
fn makes_changes_and_removes_a_file() {
    let place = Place::new();
    let write = |text: &str| place.change("x", FileEdit::Write(text.into()));
    assert!(place.perform(&write("one\n")).unwrap());
    assert!(!place.perform(&write("one\n")).unwrap());
    assert!(place.perform(&write("two\n")).unwrap());
    assert_eq!(place.get("x").as_deref(), Some("two\n"));
    assert!(place.perform(&place.change("x", FileEdit::Remove)).unwrap());
    assert!(!place.perform(&place.change("x", FileEdit::Remove)).unwrap());
    assert_eq!(place.get("x"), None);
}

#[test]
fn a_new_file_is_ours_and_its_image_is_exact() {
    use std::os::unix::fs::MetadataExt;
    let place = Place::new();
    let change = place.change("x", FileEdit::Write("a".into()));
    assert!(place.perform(&change).unwrap());
    let real = std::fs::metadata(place.path("x").as_str()).unwrap();
    assert_eq!(real.mode() & 0o7777, 0o644);
    let ourselves = (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    );
    assert_eq!((real.uid(), real.gid()), ourselves);
    let Image::File(FileState::Present(wanted)) =
        change.wanted(&Image::File(FileState::Absent)).unwrap()
    else {
        panic!("a file is wanted");
    };
    assert_eq!(
        (wanted.uid, wanted.gid),
        ourselves,
        "undo compares this with what it finds"
    );
}

#[test]
fn mode_and_owner_are_kept_or_set() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let mode = |name: &str| {
        std::fs::metadata(place.path(name).as_str())
            .unwrap()
            .permissions()
            .mode()
            & 0o7777
    };
    place.put("x", b"a=1\n");
    std::fs::set_permissions(
        Path::new(place.path("x").as_str()),
        PermissionsExt::from_mode(0o640),
    )
    .unwrap();
    assert!(place.perform(&place.change("x", line("a", "2"))).unwrap());
    assert_eq!(mode("x"), 0o640);
    let write = || {
        place
            .change("x", FileEdit::Write("a=2\n".into()))
            .mode(Some(0o600))
    };
    assert!(place.perform(&write()).unwrap(), "only the mode differs");
    assert_eq!(mode("x"), 0o600);
    assert!(!place.perform(&write()).unwrap());
    assert!(
        place
            .perform(
                &place
                    .change("new", FileEdit::Write(String::new()))
                    .mode(Some(0o400))
            )
            .unwrap()
    );
    assert_eq!(mode("new"), 0o400);
    let image = |uid, gid| FileImage {
        content: Vec::new(),
        mode: 0o644,
        uid,
        gid,
        selinux: None,
    };
    let given = place
        .change("x", FileEdit::Write(String::new()))
        .owner(Some(5), None);
    let wanted = given
        .wanted(&Image::File(FileState::Present(image(7, 8))))
        .unwrap();
    assert_eq!(wanted, Image::File(FileState::Present(image(5, 8))));
}

#[test]
fn edits_texts() {
    let place = Place::new();
    place.put("c.yaml", b"# why\nflannel-iface: \"tailscale0\" # here\n");
    assert!(
        place
            .perform(&place.change("c.yaml", yaml("flannel-iface", "eth0")))
            .unwrap()
    );
    assert!(
        !place
            .perform(&place.change("c.yaml", yaml("flannel-iface", "eth0")))
            .unwrap()
    );
    assert_eq!(
        place.get("c.yaml").as_deref(),
        Some("# why\nflannel-iface: \"eth0\" # here\n")
    );
    assert!(
        place
            .perform(&place.change("new.yaml", yaml("a", 1)))
            .unwrap()
    );
    assert_eq!(place.get("new.yaml").as_deref(), Some("a: 1\n"));
    assert!(place.perform(&place.change("e", line("A", "1"))).unwrap());
    assert_eq!(place.get("e").as_deref(), Some("A=1\n"));
    let upper = |text: &str| Ok(text.to_uppercase() + "!");
    assert!(
        place
            .perform_once(&place.change("e", FileEdit::Edit(Box::new(upper))))
            .unwrap()
    );
    assert_eq!(place.get("e").as_deref(), Some("A=1\n!"));
}

impl Place {
    /// For edits that are not the same the second time.
    fn perform_once(&self, change: &ChangeFile<'_>) -> Result<bool, Failure> {
        let cancel = Cancel::default();
        let before = change.observe(&self.fleet, &cancel)?;
        let after = change.wanted(&before)?;
        change.apply(&self.fleet, &before, &after, &cancel)?;
        Ok(before != after)
    }
}

#[test]
fn bytes_that_are_no_text_can_be_replaced_but_not_edited() {
    let place = Place::new();
    place.put("x", b"\xff\xfe");
    for edit in [
        yaml("a", 1),
        line("a", "1"),
        FileEdit::Edit(Box::new(|text| Ok(text.to_owned()))),
    ] {
        let error = message(place.perform(&place.change("x", edit)).unwrap_err());
        assert!(error.contains("byte 1 of 2 is not UTF-8"), "{error}");
    }
    assert!(
        place
            .perform(&place.change("x", FileEdit::Write("a".into())))
            .unwrap()
    );
    place.put("x", b"\xff\xfe");
    assert!(place.perform(&place.change("x", FileEdit::Remove)).unwrap());
}

#[test]
fn refusals_name_the_file_and_the_line() {
    let place = Place::new();
    place.put("x", b"a: 1\na: 2\n");
    let error = message(place.perform(&place.change("x", yaml("a", 3))).unwrap_err());
    assert!(
        error.contains(place.path("x").as_str()) && error.contains("line 2"),
        "{error}"
    );
    place.put("x", b"a=1\na=2\n");
    let error = message(
        place
            .perform(&place.change("x", line("a", "3")))
            .unwrap_err(),
    );
    assert!(error.contains("lines 1, 2"), "{error}");
    let failing = FileEdit::Edit(Box::new(|_| Err(Failure::failed("the closure says no"))));
    let error = message(place.perform(&place.change("x", failing)).unwrap_err());
    assert!(error.contains("the closure says no"), "{error}");
    let large = FileEdit::Write("x".repeat(usize::try_from(FILE_LIMIT).unwrap() + 1));
    let error = message(place.perform(&place.change("x", large)).unwrap_err());
    assert!(error.contains("at most 8 MiB"), "{error}");
    assert_eq!(
        place.get("x").as_deref(),
        Some("a=1\na=2\n"),
        "nothing was written"
    );
}

#[test]
fn a_change_in_between_stops_the_write() {
    let place = Place::new();
    place.put("x", b"a: 1\n");
    let change = place.change("x", yaml("a", 2));
    let before = change.observe(&place.fleet, &Cancel::default()).unwrap();
    let after = change.wanted(&before).unwrap();
    place.put("x", b"a: 7\n");
    let error = change
        .apply(&place.fleet, &before, &after, &Cancel::default())
        .unwrap_err();
    assert!(message(error).contains("changed between read and write"));
    assert_eq!(place.get("x").as_deref(), Some("a: 7\n"));
}

#[test]
fn undo_finds_a_file_that_the_run_made_as_the_run_left_it() {
    let place = Place::new();
    let change = place.change("x", FileEdit::Write("a".into()));
    let before = change.observe(&place.fleet, &Cancel::default()).unwrap();
    let after = change.wanted(&before).unwrap();
    change
        .apply(&place.fleet, &before, &after, &Cancel::default())
        .unwrap();
    let now = place
        .fleet
        .actor(&target())
        .unwrap()
        .read_file(&place.path("x"))
        .unwrap();
    assert!(after.is_met_by(&Image::File(now)));
    super::super::apply_image(&place.fleet, &target(), &change.subject(), &after, &before).unwrap();
    assert_eq!(place.get("x"), None);
}

#[test]
fn arguments_are_plain_and_differ_with_what_is_asked() {
    let place = Place::new();
    let edits = || -> Vec<FileEdit<'static>> {
        vec![
            FileEdit::Write("a".into()),
            FileEdit::Write("b".into()),
            line("a", "1"),
            line("a", "2"),
            yaml("a", 1),
            yaml("a", "1"),
            FileEdit::Remove,
            FileEdit::Edit(Box::new(|text| Ok(text.to_owned()))),
        ]
    };
    let mut seen = std::collections::BTreeSet::new();
    for edit in edits() {
        let change = place.change("x", edit);
        assert!(
            seen.insert((change.kind().to_owned(), change.arguments().canonical())),
            "{change:?}"
        );
        assert!(change.summary().contains(place.path("x").as_str()));
    }
    let modes = [None, Some(0o600), Some(0o644)].map(|mode| {
        place
            .change("x", FileEdit::Write("a".into()))
            .mode(mode)
            .arguments()
            .canonical()
    });
    assert!(modes[0] != modes[1] && modes[1] != modes[2]);
}

#[test]
fn what_is_unknown_before_the_run_stands_in_a_plan_as_its_mark() {
    let place = Place::new();
    let unknown = Value::Unknown(crate::model::Unknown::because("a restart"));
    let wanted = place
        .change("x", yaml("a", unknown))
        .wanted(&Image::File(FileState::Absent))
        .unwrap();
    let Image::File(state) = wanted else {
        panic!("a file is wanted")
    };
    assert_eq!(
        state.content(),
        Some("a: \"‹unknown until run›\"\n".as_bytes())
    );
}

/// A host where nothing is, and where `id` answers like this.
struct Elsewhere(Exit, &'static str);

impl Observer for Elsewhere {
    fn probe(
        &self,
        _: &Command,
        _: Duration,
        _: &Cancel,
    ) -> Result<crate::transport::Output, TransportError> {
        let stdout = Captured {
            bytes: self.1.into(),
            dropped: 0,
        };
        Ok(crate::transport::Output {
            exit: self.0,
            stdout,
            stderr: Captured::default(),
        })
    }

    fn read_file(&self, _: &TargetPath) -> Result<FileState, TransportError> {
        Ok(FileState::Absent)
    }

    fn stat(&self, _: &TargetPath) -> Result<Option<FileStat>, TransportError> {
        Ok(None)
    }
}

struct FleetElsewhere(Exit, &'static str);

impl ObservingFleet for FleetElsewhere {
    fn observer(&self, _: &Target) -> Result<Arc<dyn Observer>, TransportError> {
        Ok(Arc::new(Elsewhere(self.0, self.1)))
    }

    fn cluster_observer(&self) -> Result<Arc<dyn ClusterObserver>, TransportError> {
        Err(TransportError::Interrupted)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }
}

#[test]
fn a_new_file_belongs_to_who_the_target_says_we_are() {
    let place = Place::new();
    for (exit, answer, expected) in [
        (Exit::Code(0), "1000\n1001\n", (1000, 1001)),
        (Exit::Code(0), "what?\n", (0, 0)),
        (Exit::Code(127), "", (0, 0)),
    ] {
        let change = place.change("x", FileEdit::Write(String::new()));
        let before = change
            .observe(&FleetElsewhere(exit, answer), &Cancel::default())
            .unwrap();
        let Image::File(FileState::Present(wanted)) = change.wanted(&before).unwrap() else {
            panic!("a file is wanted");
        };
        assert_eq!((wanted.uid, wanted.gid), expected, "{answer:?}");
    }
}
