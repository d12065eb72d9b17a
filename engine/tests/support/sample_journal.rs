//! Journals with known content, and their files after every confirmed record.
#![allow(dead_code)] // each test file uses a part of it

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use runbook::journal::{
    ChangeIntent, Intent, Journal, JournalError, Outcome, OutcomeResult, Parameter, Record,
    RunDirectory, RunHeader, SessionKind, SourceText, StateDirectory, StepStatus, Stored,
};
use runbook::model::{
    OperationId, RunId, ScopePath, Secrets, Segment, Subject, Target, TargetPath, Value,
};
use runbook::operation::Class;

/// The files of a journal that a disk may damage; the index of the log is only a cache.
pub const FILES: [&str; 3] = ["journal.db", "journal.db-wal", "journal.jsonl"];

/// A scratch directory in memory, where there is some: these tests are about bytes, not about disks.
pub fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = match memory.is_dir() {
        true => tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()),
        false => tempfile::tempdir(),
    };
    made.unwrap()
}

pub fn run_id() -> RunId {
    RunId::parse("20260102-100000-abcdef").unwrap()
}

/// The run's directory in a state directory below `root`.
pub fn directory(root: &Path) -> RunDirectory {
    let state = StateDirectory::open(root.join("state")).unwrap();
    state.run(&run_id())
}

pub fn open(directory: &RunDirectory) -> Result<(Journal, Vec<Stored>), JournalError> {
    Journal::open(directory, Arc::new(Secrets::new()))
}

/// The header of the sample run.
pub fn header(source: runbook::journal::BlobId) -> Record {
    Record::RunStarted(Box::new(RunHeader {
        schema: runbook::journal::SCHEMA,
        engine: "0.1.0".into(),
        behaviour: 1,
        run: run_id(),
        title: "a sample".into(),
        sources: vec![SourceText {
            name: "sample.rhai".into(),
            blob: source,
        }],
        parameters: BTreeMap::from([(
            "size".to_owned(),
            Parameter {
                value: Value::from("large"),
                origin: "default".into(),
            },
        )]),
        inventory: None,
        lab: None,
        limit: None,
        context: None,
        kubeconfig: None,
        parallel: 1,
        scope: "sample".into(),
        seed: "00".into(),
        plan: None,
    }))
}

pub fn session(epoch: u64) -> Record {
    Record::SessionStarted {
        kind: SessionKind::Run,
        epoch,
        pid: 1,
        operator: "ann@desk".into(),
        engine: "0.1.0".into(),
    }
}

pub fn step() -> ScopePath {
    ScopePath::default().join(Segment::Step {
        title: "one".into(),
        nth: 1,
    })
}

fn id(nth: u32) -> OperationId {
    OperationId::derive(&run_id(), 0, &step().operation(nth))
}

fn change(journal: &Journal, nth: u32) -> Record {
    let file = TargetPath::parse("/etc/sample.conf").unwrap();
    // Of different sizes, so that some span several pages.
    let image = |word: &str| {
        journal.store_blob(format!("{word} {nth} {}", "x".repeat(nth as usize * 200)).as_bytes())
    };
    Record::Intent(Box::new(Intent {
        key: step().operation(nth),
        id: id(nth),
        scope: step(),
        attempt: 1,
        class: Class::Change,
        kind: "file.write".into(),
        target: Target::Run,
        summary: "writes a sample".into(),
        fingerprint: "f".into(),
        arguments: Value::from("y".repeat(nth as usize * 30)),
        source: None,
        change: Some(ChangeIntent {
            subject: Subject::File(file),
            before: image("before"),
            before_fingerprint: "b".into(),
            after: image("after"),
            after_fingerprint: "a".into(),
            irreversible: None,
        }),
        undo: None,
        deadline: None,
        undoes: None,
    }))
}

fn outcome(nth: u32) -> Record {
    Record::Outcome(Box::new(Outcome {
        id: id(nth),
        attempt: 1,
        result: OutcomeResult::Value {
            value: Value::from("done"),
            changed: true,
        },
        recovered: None,
    }))
}

/// Writes the `nth` record of the sample (from 1) and waits for it.
pub fn commit_nth(journal: &Journal, nth: u32) -> Stored {
    let record = match nth {
        1 => header(journal.store_blob(b"step \"one\" {}")),
        2 => session(1),
        3 => Record::StepStarted {
            path: step(),
            source: None,
        },
        // Every seventh syncs the mirror, as the end of a step does.
        nth if nth % 7 == 0 => Record::StepEnded {
            path: step(),
            status: StepStatus::Done,
        },
        nth if nth % 2 == 0 => change(journal, nth),
        // What came before an outcome was its intent, or the end of a step.
        nth if (nth - 1) % 7 == 0 => Record::StepStarted {
            path: step(),
            source: None,
        },
        nth => outcome(nth - 1),
    };
    journal.commit(record).unwrap()
}

/// A journal's files at one moment, and the records that were confirmed by then.
#[derive(Clone)]
pub struct Snapshot {
    /// Contents, by the order of [`FILES`]; `None` where there is none.
    pub files: [Option<Vec<u8>>; 3],
    pub records: Vec<Stored>,
}

impl Snapshot {
    pub fn take(directory: &RunDirectory, records: &[Stored]) -> Self {
        Self {
            files: FILES.map(|name| fs::read(directory.path().join(name)).ok()),
            records: records.to_vec(),
        }
    }

    /// Writes the files into an empty run directory below `root`.
    pub fn lay(&self, root: &Path) -> RunDirectory {
        let directory = directory(root);
        let path: PathBuf = directory.path().to_owned();
        let _ = fs::remove_dir_all(&path);
        private_directory(&path);
        for (name, content) in FILES.iter().zip(&self.files) {
            if let Some(content) = content {
                private_file(&path.join(name), content);
            }
        }
        directory
    }
}

pub fn private_directory(path: &Path) {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().mode(0o700).create(path).unwrap();
}

pub fn private_file(path: &Path, content: &[u8]) {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(path).unwrap().write_all(content).unwrap();
}

/// The sample after each of its first `count` records, everything in the log, as a killed process leaves it;
/// and as the last one is after an orderly close.
pub fn snapshots(count: u32) -> (Vec<Snapshot>, Snapshot) {
    let scratch = scratch();
    let directory = directory(scratch.path());
    let journal = Journal::create(&directory, Arc::new(Secrets::new())).unwrap();
    let mut records = Vec::new();
    let mut open = Vec::new();
    for nth in 1..=count {
        records.push(commit_nth(&journal, nth));
        open.push(Snapshot::take(&directory, &records));
    }
    drop(journal);
    (open, Snapshot::take(&directory, &records))
}

/// Numbers that a seed determines (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below `bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// How many states a test is to try: what the environment says, else `default`.
pub fn count(variable: &str, default: usize) -> usize {
    std::env::var(variable)
        .ok()
        .map_or(default, |text| text.parse().expect("a number"))
}

/// Calls `work` with every number below `count`, on two threads.
pub fn for_each(count: usize, work: impl Fn(usize) + Sync) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                loop {
                    let nth = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    if nth >= count {
                        return;
                    }
                    work(nth);
                }
            });
        }
    });
}
