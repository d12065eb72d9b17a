//! What a failing disk does to a journal at rest: torn and cut files, flipped bits. Nothing may be accepted
//! that is not what was written, and nothing confirmed may vanish unseen while any copy still has it.

#[path = "support/sample_journal.rs"]
mod sample_journal;

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use runbook::journal::{Journal, JournalError, Repair, repair, verify};
use sample_journal::{Random, Snapshot, commit_nth, count, for_each, open, scratch, snapshots};

/// Records of the sample.
const RECORDS: u32 = 24;
const LOG: usize = 1;
const MIRROR: usize = 2;

/// The sample in all its moments, and where in log and mirror each record lies.
struct Sample {
    open: Vec<Snapshot>,
    closed: Snapshot,
    log: Vec<Range<usize>>,
    mirror: Vec<Range<usize>>,
}

impl Sample {
    fn new() -> Self {
        let (open, closed) = snapshots(RECORDS);
        let ranges = |file: usize| {
            let ends = open.iter().map(|snapshot| length(snapshot, file));
            let mut begin = 0;
            ends.map(|end| std::mem::replace(&mut begin, end)..end)
                .collect()
        };
        Self {
            log: ranges(LOG),
            mirror: ranges(MIRROR),
            open,
            closed,
        }
    }
}

fn length(snapshot: &Snapshot, file: usize) -> usize {
    snapshot.files[file].as_ref().map_or(0, Vec::len)
}

/// One way in which a file can be torn.
fn tear(content: &mut Option<Vec<u8>>, random: &mut Random) {
    let Some(bytes) = content else { return };
    let at = random.below(bytes.len() + 1);
    let sector = |at: usize, length: usize| at / 512 * 512..(at / 512 * 512 + 512).min(length);
    match random.below(8) {
        0 => *content = None,
        1 | 2 => bytes.truncate(at),
        3 => bytes[at..].fill(0),
        4 => bytes[at..].fill_with(|| random.next() as u8),
        5 => bytes.truncate(at / 512 * 512),
        6 => {
            let hole = sector(at, bytes.len());
            bytes[hole].fill(0);
        }
        _ => {
            let hole = sector(at, bytes.len());
            bytes[hole].fill_with(|| random.next() as u8);
        }
    }
}

/// Whether the damaged file still has exactly these bytes there.
fn still_has(before: &Snapshot, after: &Snapshot, file: usize, range: &Range<usize>) -> bool {
    let part = |snapshot: &Snapshot| {
        let bytes = snapshot.files[file].as_ref()?;
        Some(bytes.get(range.clone())?.to_vec())
    };
    part(before).is_some() && part(before) == part(after)
}

/// What became of a damaged state.
#[derive(Default)]
struct Tally {
    whole: AtomicUsize,
    shorter: AtomicUsize,
    refused: AtomicUsize,
    restored: AtomicUsize,
    cut: AtomicUsize,
    hopeless: AtomicUsize,
}

fn one_more(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::SeqCst);
}

/// Lays a damaged state down and opens it; see the assertions for what must hold.
fn survives(sample: &Sample, seed: usize, tally: &Tally) {
    let mut random = Random(seed as u64);
    let nth = random.below(RECORDS as usize + 4);
    let closed = nth >= RECORDS as usize;
    let before = sample.open.get(nth).unwrap_or(&sample.closed);
    let mut after = before.clone();
    // Mostly one file; two copies that fail at once are the hard case.
    for _ in 0..=random.below(5) / 3 {
        let file = random.below(3);
        tear(&mut after.files[file], &mut random);
    }
    let confirmed = before.records.len();
    let mirrored = |seq: usize| still_has(before, &after, MIRROR, &sample.mirror[seq - 1]);
    let logged = |seq: usize| !closed && still_has(before, &after, LOG, &sample.log[seq - 1]);
    let scratch = scratch();
    let directory = after.lay(scratch.path());
    let verified = verify(&directory).map(|found| found.records);
    let opened = open(&directory);
    assert_eq!(
        verified.is_ok(),
        opened.is_ok(),
        "seed {seed}: {verified:?} and open disagree"
    );
    let opened = match opened {
        Ok((journal, records)) => Some((Some(journal), records)),
        Err(JournalError::NeverStarted(_)) => Some((None, Vec::new())),
        Err(_) => None,
    };
    match opened {
        Some((journal, records)) => {
            assert_eq!(records, before.records[..records.len()], "seed {seed}");
            for seq in records.len() + 1..=confirmed {
                assert!(!mirrored(seq), "seed {seed}: record {seq} is in the mirror");
            }
            // A log shows that a transaction is missing by what follows after the next one's end.
            let kept = (records.len() + 2..=confirmed).filter(|seq| logged(*seq));
            assert!(kept.count() < 2, "seed {seed}: the log had later records");
            let counter = if records.len() == confirmed {
                &tally.whole
            } else {
                &tally.shorter
            };
            one_more(counter);
            if let (Some(journal), 0) = (journal, seed % 16) {
                commit_nth(&journal, 2 * RECORDS + 2);
                drop(journal);
                assert_eq!(
                    verify(&directory).unwrap().records,
                    records.len() as u64 + 1
                );
            }
        }
        None => {
            one_more(&tally.refused);
            let in_mirror = (1..=confirmed).take_while(|seq| mirrored(*seq)).count();
            mends(&directory, before, in_mirror, seed, tally);
        }
    }
}

/// Repairs a refused journal: only what was written, and no less than the mirror proves by itself.
fn mends(
    directory: &runbook::journal::RunDirectory,
    before: &Snapshot,
    in_mirror: usize,
    seed: usize,
    tally: &Tally,
) {
    let done = repair(directory, "ann@desk");
    let (found, cut) = match done {
        Ok(Repair::Restored { found, .. }) => (found, false),
        Ok(Repair::Cut { found, .. }) => (found, true),
        Ok(other) => panic!("seed {seed}: {other:?} of a journal that was refused"),
        Err(error) => {
            assert_eq!(in_mirror, 0, "seed {seed}: {error}");
            one_more(&tally.hopeless);
            return;
        }
    };
    one_more(if cut { &tally.cut } else { &tally.restored });
    let proven = found.proven as usize;
    assert!(
        proven >= in_mirror,
        "seed {seed}: {found:?}, mirror {in_mirror}"
    );
    assert!(proven <= before.records.len(), "seed {seed}: {found:?}");
    let (journal, records) = open(directory).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    drop(journal);
    assert_eq!(records[..proven], before.records[..proven], "seed {seed}");
    assert_eq!(records.len(), proven + 2, "seed {seed}");
    assert!(
        matches!(repair(directory, "ann@desk"), Ok(Repair::NotNeeded)),
        "seed {seed}"
    );
}

fn torn_states(states: usize) {
    let sample = Sample::new();
    let tally = Tally::default();
    let first = match std::env::var("RUNBOOK_TORN_SEED") {
        Err(_) => 0,
        Ok(text) => {
            let number = |text: &str| text.parse().expect("the number of a state, or `FIRST..`");
            match text.strip_suffix("..") {
                Some(first) => number(first),
                None => return survives(&sample, number(&text), &tally),
            }
        }
    };
    for_each(states - first, |nth| survives(&sample, first + nth, &tally));
    let [whole, shorter, refused, restored, cut, hopeless] = [
        &tally.whole,
        &tally.shorter,
        &tally.refused,
        &tally.restored,
        &tally.cut,
        &tally.hopeless,
    ]
    .map(|counter| counter.load(Ordering::SeqCst));
    println!(
        "{} torn states: {whole} whole, {shorter} a true beginning (no copy has more), {refused} refused; \
         of these {restored} repaired in full, {cut} cut to what is proven, {hopeless} without a provable record",
        states - first
    );
    assert!(whole > 0 && refused > 0 && restored > 0 && cut > 0);
}

#[test]
fn torn_files_open_to_the_truth_or_are_refused() {
    torn_states(1_000);
}

#[test]
#[ignore = "100,000 states; RUNBOOK_TORN_STATES sets another number, RUNBOOK_TORN_SEED plays one, or all from `FIRST..` on"]
fn torn_files_in_full() {
    torn_states(count("RUNBOOK_TORN_STATES", 100_000));
}

/// Flips one bit of a synced journal; says whether that was found (else it must have been harmless).
fn flip(sample: &Sample, seed: usize) -> bool {
    let mut random = Random(seed as u64);
    let before = match random.below(2) {
        0 => &sample.closed,
        _ => &sample.open[RECORDS as usize - 1],
    };
    let mut after = before.clone();
    let lengths: Vec<usize> = (0..3).map(|file| length(before, file)).collect();
    // Each file as often as the others, however small.
    let file = loop {
        let file = random.below(3);
        if lengths[file] > 0 {
            break file;
        }
    };
    let bit = random.below(lengths[file] * 8);
    after.files[file].as_mut().unwrap()[bit / 8] ^= 1 << (bit % 8);
    let scratch = scratch();
    let directory = after.lay(scratch.path());
    let verified = verify(&directory);
    match open(&directory) {
        Err(_) => {
            assert!(verified.is_err(), "seed {seed}: verify saw nothing");
            true
        }
        Ok((journal, records)) => {
            let found = verified.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert_eq!(
                records, before.records,
                "seed {seed}: bit {bit} of file {file}"
            );
            drop(journal);
            assert_eq!(
                Journal::read(&directory).unwrap(),
                before.records,
                "seed {seed}"
            );
            found.mirror_damaged > 0 || found.mirror_behind > 0
        }
    }
}

fn bit_flips(flips: usize) {
    let sample = Sample::new();
    let found = AtomicUsize::new(0);
    for_each(flips, |seed| {
        found.fetch_add(usize::from(flip(&sample, seed)), Ordering::SeqCst);
    });
    let found = found.into_inner();
    println!(
        "{flips} flipped bits: {found} found, {} harmless",
        flips - found
    );
    assert!(
        found > flips / 4,
        "only {found} found: the flips hit nothing"
    );
}

#[test]
fn a_flipped_bit_is_found_or_harmless() {
    bit_flips(2_000);
}

#[test]
fn a_look_at_an_emptied_database_does_not_cost_its_log() {
    let (open, _) = snapshots(4);
    let mut emptied = open[3].clone();
    emptied.files[0] = Some(Vec::new());
    let scratch = scratch();
    let directory = emptied.lay(scratch.path());
    assert!(verify(&directory).is_err());
    assert!(Journal::read(&directory).is_err());
    // SQLite itself would have removed it; it may be all that is left.
    let log = std::fs::read(directory.path().join("journal.db-wal")).unwrap();
    assert_eq!(Some(log), open[3].files[LOG]);
}
