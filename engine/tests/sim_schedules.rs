//! Random schedules of parallel branches, with the engine switched off anywhere, replies lost, late and doubled, and
//! hosts that reboot: nothing is lost, nothing happens twice, and every seed can be had again.

#[path = "support/sim/mod.rs"]
mod sim;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use runbook::journal::StateDirectory;
use sim::case::{Luck, Story, play};

fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    match memory.is_dir() {
        true => tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()),
        false => tempfile::tempdir(),
    }
    .unwrap()
}

/// The seeds that the environment asks for: `RUNBOOK_SIM_SEED=N` to look into one that failed, or a part of many,
/// `RUNBOOK_SIM_SEED=FROM..TO`.
fn only() -> Option<std::ops::Range<u64>> {
    let text = std::env::var("RUNBOOK_SIM_SEED").ok()?;
    match text.split_once("..") {
        Some((from, to)) => Some(from.parse().ok()?..to.parse().ok()?),
        None => text.parse().ok().map(|seed: u64| seed..seed + 1),
    }
}

#[derive(Default)]
struct Sum {
    seeds: u64,
    sessions: usize,
    deaths: usize,
    asked: usize,
    refused: u32,
    operations: usize,
    commands: usize,
    faults: BTreeMap<String, u32>,
}

impl Sum {
    fn add(&mut self, story: &Story) {
        self.seeds += 1;
        self.sessions += story.sessions;
        self.deaths += story.deaths;
        self.asked += story.asked;
        self.refused += story.refused;
        self.operations += story.operations;
        self.commands += story.commands;
        for (kind, count) in &story.faults {
            *self.faults.entry(kind.clone()).or_default() += count;
        }
    }
}

/// Plays seeds on two threads; gives the sum, or panics with the first few that failed.
fn play_all(seeds: std::ops::Range<u64>, luck: Luck) -> Sum {
    let seeds = only().unwrap_or(seeds);
    let next = AtomicU64::new(seeds.start);
    let sum = Mutex::new(Sum::default());
    let wrong = Mutex::new(Vec::new());
    let started = Instant::now();
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                let directory = directory();
                let state = StateDirectory::open(directory.path().join("state")).unwrap();
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= seeds.end || wrong.lock().unwrap().len() >= 5 {
                        return;
                    }
                    match play(&state, seed, luck) {
                        Ok(story) => sum.lock().unwrap().add(&story),
                        Err(why) => wrong.lock().unwrap().push(why),
                    }
                }
            });
        }
    });
    let (sum, wrong) = (sum.into_inner().unwrap(), wrong.into_inner().unwrap());
    println!(
        "{} seeds in {:.1} s: {} sessions, {} deaths of the engine, {} operations recorded, {} commands, \
         {} questions to a person, {} late or doubled requests refused, faults {:?}",
        sum.seeds,
        started.elapsed().as_secs_f64(),
        sum.sessions,
        sum.deaths,
        sum.operations,
        sum.commands,
        sum.asked,
        sum.refused,
        sum.faults
    );
    assert!(
        wrong.is_empty(),
        "look into one with RUNBOOK_SIM_SEED=N\n{}",
        wrong.join("\n\n")
    );
    sum
}

/// What would show nothing must not look like success: everything that can go wrong did.
fn everything_happened(sum: &Sum) {
    assert!(sum.deaths as u64 > sum.seeds / 2, "{} deaths", sum.deaths);
    assert!(sum.asked > 0 && sum.refused > 0);
    for kind in runbook::lab::fleet::FaultKind::every() {
        assert!(sum.faults.contains_key(kind.name()), "no {kind:?}");
    }
}

#[test]
fn without_bad_luck_every_book_comes_to_its_end_in_one_session() {
    let sum = play_all(0..60, Luck::Good);
    assert_eq!(sum.sessions as u64, sum.seeds);
}

#[test]
fn a_seed_gives_the_same_story_twice() {
    let directory = directory();
    let state = StateDirectory::open(directory.path().join("state")).unwrap();
    for seed in 0..20 {
        let first = play(&state, seed, Luck::Bad).unwrap();
        let again = play(&state, seed, Luck::Bad).unwrap();
        assert_eq!(first.digest, again.digest, "seed {seed}");
        assert_eq!(first.faults, again.faults, "seed {seed}");
    }
}

#[test]
fn nothing_is_lost_and_nothing_happens_twice() {
    let sum = play_all(0..300, Luck::Bad);
    if only().is_none() {
        everything_happened(&sum);
    }
}

#[test]
#[ignore = "takes minutes: cargo test --release --test sim_schedules -- --ignored --nocapture"]
fn nothing_is_lost_and_nothing_happens_twice_in_a_hundred_thousand_seeds() {
    let sum = play_all(0..100_000, Luck::Bad);
    if only().is_none() {
        everything_happened(&sum);
    }
}
