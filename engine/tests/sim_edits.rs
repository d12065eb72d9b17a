//! Random edits of a runbook between a crash and its resume: a changed script never takes a recorded result that is
//! not its own, never does again what is done, and what was done can be put back.

#[path = "support/sim/mod.rs"]
mod sim;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use runbook::journal::{CrashPoint, Entry, EntryState, History, StateDirectory};
use runbook::operation::Class;
use sim::book::{Book, EFFECTS, FILES, Limits, Word};
use sim::dice::Dice;
use sim::edit::{Place, edited, places};
use sim::engine::{End, Fate, Life};
use sim::hosts::{HOSTS, bare_world, text_of};
use sim::process::{State, Workshop, killed, said};

/// Does `work` for every seed on two threads; panics with the first few that went wrong.
fn all(seeds: u64, work: impl Fn(u64) -> Result<bool, String> + Sync) -> u64 {
    let only = std::env::var("RUNBOOK_SIM_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let (first, end) = only.map_or((0, seeds), |seed: u64| (seed, seed + 1));
    let (next, counted) = (AtomicU64::new(first), AtomicU64::new(0));
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= end || wrong.lock().unwrap().len() >= 3 {
                        return;
                    }
                    match work(seed) {
                        Ok(counts) => {
                            counted.fetch_add(u64::from(counts), Ordering::SeqCst);
                        }
                        Err(why) => wrong.lock().unwrap().push(format!("seed {seed}: {why}")),
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    counted.into_inner()
}

/// How many, unless RUNBOOK_SIM_COUNT sets another number.
fn count(most: u64) -> u64 {
    let count = std::env::var("RUNBOOK_SIM_COUNT").ok();
    count.and_then(|count| count.parse().ok()).unwrap_or(most)
}

/// A book, and what somebody has made of it.
fn books(seed: u64) -> (Book, Book, Dice) {
    let mut dice = Dice::new(seed, "edits");
    let book = Book::generate(&mut dice, &HOSTS[..2], Limits { detached: false });
    let edited = edited(&book, &mut dice);
    (book, edited, dice)
}

fn both(old: &Book, new: &Book) -> String {
    format!("\n--- old\n{}\n--- new\n{}", old.text(), new.text())
}

// A changed script meets the record as it is: without asking anyone, replay must stop at the first difference.

/// Replays a record against another script. True if it had to refuse.
fn replayed_against_another(state: &StateDirectory, seed: u64) -> Result<bool, String> {
    let (old, new, mut dice) = books(seed);
    let mut life = Life::new(state, seed, bare_world(), &old);
    let fate = |journal, dice: &mut Dice| Fate {
        journal,
        exchange: None,
        turns: Dice::new(dice.roll(), "turns"),
    };
    let at = CrashPoint::After(dice.between(4, 40) as u64);
    let end = life.live(&fate(Some(at), &mut dice), false)?;
    let verdict = match end {
        End::Dead => against(&mut life, &old, &new, &fate(None, &mut dice)),
        _ => Ok(false), // it came to its end first
    };
    let _ = std::fs::remove_dir_all(life.path());
    verdict.map_err(|why| format!("{why}{}", both(&old, &new)))
}

fn against(life: &mut Life, old: &Book, new: &Book, fate: &Fate) -> Result<bool, String> {
    let records = life.records().map_err(|error| error.to_string())?;
    let history = History::from_records(&records).map_err(|error| error.to_string())?;
    let before = places(old);
    let recorded: BTreeMap<String, &Place> = before
        .iter()
        .filter(|place| {
            history
                .entry(&runbook::model::OperationKey(place.key()))
                .is_some()
        })
        .map(|place| (place.key(), place))
        .collect();
    let differs = places(new).iter().any(|place| {
        recorded
            .get(&place.key())
            .is_some_and(|known| known.call != place.call)
    });
    let effects = traces(old, |host, path| world_text(life, host, path));
    life.edit(new);
    let end = life.live(fate, true);
    let refused = matches!(&end, Err(why) if why.contains("diverged"));
    if refused != differs {
        return Err(format!(
            "the recorded part {}, and replay came to {end:?}",
            if differs { "differs" } else { "is the same" }
        ));
    }
    if let Err(why) = &end
        && !refused
    {
        return Err(why.clone());
    }
    // What was recorded under a key that still means the same has not run again.
    let kept: Vec<&Place> = places_kept(new, &recorded);
    let now = traces(old, |host, path| world_text(life, host, path));
    for place in kept {
        let key = (place.host.clone(), place.name.clone());
        if let (Some(before), Some(after)) = (effects.get(&key), now.get(&key))
            && *before >= 1
            && after > before
        {
            return Err(format!("{key:?} ran {after} times"));
        }
    }
    Ok(refused)
}

fn places_kept<'a>(new: &Book, recorded: &BTreeMap<String, &'a Place>) -> Vec<&'a Place> {
    let same = |place: &Place| {
        let known = recorded.get(&place.key())?;
        (known.call == place.call).then_some(*known)
    };
    places(new).iter().filter_map(same).collect()
}

fn world_text(life: &Life, host: &str, path: &str) -> Option<String> {
    let text = life.lab.glance(|world| (text_of(world, host, path), false));
    text.expect("a lab in memory can be read")
}

/// How often each command of a book has run.
fn traces(
    book: &Book,
    text: impl Fn(&str, &str) -> Option<String>,
) -> BTreeMap<(String, String), usize> {
    book.instances()
        .filter(|(_, operation)| {
            matches!(
                operation.word,
                Word::Run | Word::Guarded | Word::Detached | Word::Fork
            )
        })
        .map(|(host, operation)| {
            let path = format!("{EFFECTS}/{}", operation.name);
            // Each time it writes its name and a value, which after an edit may have several lines.
            let begins = format!("{} ", operation.name);
            let wrote = |text: String| {
                text.lines()
                    .filter(|line| line.starts_with(&begins))
                    .count()
            };
            let times = text(host, &path).map_or(0, wrote);
            ((host.to_owned(), operation.name.clone()), times)
        })
        .collect()
}

#[test]
fn replay_compares_word_and_place_and_arguments_each_by_itself() {
    let shop = Workshop::new();
    let state = StateDirectory::open(shop.path().join("state")).unwrap();
    let text = |body: &str| format!("runbook #{{ title: \"kinds\" }};\n{body}\n");
    let recorded = "host(\"h1\").file(\"/etc/sim/common\").exists(); host(\"h1\").run(\"true\");";
    let others = [
        ("kind", recorded.replace("exists", "stat")),
        ("target", recorded.replacen("h1", "h2", 1)),
        ("arguments", recorded.replace("common", "other")),
    ];
    for (nth, (difference, other)) in others.iter().enumerate() {
        let mut life = Life::new(
            &state,
            nth as u64,
            bare_world(),
            &Book { blocks: Vec::new() },
        );
        life.edit_text(&text(recorded));
        let fate = |journal| Fate {
            journal,
            exchange: None,
            turns: Dice::new(0, "turns"),
        };
        // Run, session, observation, intent.
        let died = life.live(&fate(Some(CrashPoint::After(4))), false);
        assert!(matches!(died, Ok(End::Dead)), "{died:?}");
        life.edit_text(&text(other));
        let end = life.live(&fate(None), true).unwrap_err();
        assert!(end.contains("diverged"), "{difference}: {end}");
        assert!(end.contains(difference), "{difference}: {end}");
        life.edit_text(&text(recorded));
        let end = life.live(&fate(None), true);
        assert!(matches!(end, Ok(End::Done)), "{end:?}");
    }
}

fn replays(seeds: u64) {
    let started = Instant::now();
    let shop = Workshop::new();
    let state = StateDirectory::open(shop.path().join("state")).unwrap();
    let refused = all(seeds, |seed| replayed_against_another(&state, seed));
    println!(
        "{seeds} records replayed against an edited script in {:.1} s: {refused} refused",
        started.elapsed().as_secs_f64()
    );
    if std::env::var_os("RUNBOOK_SIM_SEED").is_none() {
        // Both must happen, or this shows nothing.
        assert!(refused > seeds / 20 && refused < seeds * 19 / 20);
    }
}

#[test]
fn replay_stops_where_the_script_asks_for_something_else() {
    replays(300);
}

#[test]
#[ignore = "takes minutes: cargo test --release --test sim_edits -- --ignored --nocapture"]
fn ten_thousand_replays_stop_where_the_script_asks_for_something_else() {
    replays(count(10_000));
}

// `resume --edited` through the real program.

/// What one edit came to.
#[derive(Default)]
struct Counts {
    edits: AtomicUsize,
    refused: AtomicUsize,
    reused: AtomicUsize,
    undone: AtomicUsize,
    undo_refused: AtomicUsize,
}

/// Crashes, edits, goes on with `--edited`, puts back. True if there was something to go on with.
fn goes_on_edited(shop: &Workshop, seed: u64, counts: &Counts) -> Result<bool, String> {
    let (old, new, mut dice) = books(seed);
    let book = format!("book{seed}.rhai");
    shop.write(&book, &old.text());
    let state = shop.state(&format!("state{seed}"));
    let at = dice.between(4, 40).to_string();
    let run = state.run(&["run", &book, "--lab", "lab.yaml", "--yes"], Some(&at));
    let mut went_on = false;
    let mut verdict = Ok(());
    // Killed after its very last record it is over.
    let over = |state: &State| {
        let history = state.newest().and_then(|id| state.history(&id).ok());
        history.is_some_and(|history| history.ending().is_some())
    };
    if killed(&run) && !over(&state) {
        went_on = true;
        shop.write(&book, &new.text());
        verdict = go_on(&state, &old, &new, counts);
    }
    state.remove();
    let _ = std::fs::remove_file(shop.path().join(&book));
    match verdict {
        Ok(()) => Ok(went_on),
        Err(why) => Err(format!("killed at {at}: {why}{}", both(&old, &new))),
    }
}

fn go_on(state: &State, old: &Book, new: &Book, counts: &Counts) -> Result<(), String> {
    let id = state.newest().ok_or("the run is gone")?;
    let history = state.history(&id)?;
    let expected = Alignment::of(old, new, &history);
    let before = traces(old, |host, path| state.text(host, path));
    // Looking at it changes nothing.
    let looked = state.run(&["resume", id.as_str(), "--edited"], None);
    expected.compare(&said(&looked))?;
    if traces(old, |host, path| state.text(host, path)) != before {
        return Err("looking at the edit had an effect".into());
    }
    let resumed = state.run(&["resume", id.as_str(), "--edited", "--yes"], None);
    if expected.refused {
        counts.refused.fetch_add(1, Ordering::SeqCst);
        let refused =
            resumed.status.code() == Some(3) && said(&resumed).contains("would run again");
        if !refused || traces(old, |host, path| state.text(host, path)) != before {
            return Err(format!("expected a refusal: {}", said(&resumed)));
        }
        return Ok(());
    }
    // A change was in flight, and the edit has another one before it on the same file: that is a person's to judge.
    let in_flight = history
        .entries()
        .any(|entry| entry.intent.class == Class::Change && entry.state == EntryState::InFlight);
    let conflict = said(&resumed).contains("is neither as it was nor as it shall be");
    if in_flight && conflict && resumed.status.code() == Some(3) {
        counts.refused.fetch_add(1, Ordering::SeqCst);
        return Ok(());
    }
    if !resumed.status.success() {
        return Err(said(&resumed));
    }
    counts.edits.fetch_add(1, Ordering::SeqCst);
    counts
        .reused
        .fetch_add(expected.reused.len(), Ordering::SeqCst);
    let world = state.world().ok_or("the lab has no state")?;
    let now = traces(new, |host, path| text_of(&world, host, path));
    for (key, times) in &now {
        let wanted = expected.times(key, before.get(key).copied().unwrap_or(0));
        if !wanted.contains(times) {
            return Err(format!(
                "{key:?} ran {times} times in all and should have run {wanted:?}\n{}",
                said(&resumed)
            ));
        }
    }
    put_back(state, &id, counts)
}

/// Undo restores every file that was changed, or says why not.
fn put_back(state: &State, id: &runbook::model::RunId, counts: &Counts) -> Result<(), String> {
    let undone = state.run(&["undo", id.as_str(), "--yes"], None);
    let orphaned_closure = state.history(id)?.entries().any(|entry: &Entry| {
        entry.orphaned && entry.intent.class == Class::Change && entry.intent.kind == "change"
    });
    if !undone.status.success() {
        // What only a script that is gone could put back cannot be put back.
        if orphaned_closure {
            counts.undo_refused.fetch_add(1, Ordering::SeqCst);
            return Ok(());
        }
        return Err(format!("undo: {}", said(&undone)));
    }
    counts.undone.fetch_add(1, Ordering::SeqCst);
    let world = state.world().ok_or("the lab has no state")?;
    for host in HOSTS {
        let machine = world
            .machine(&runbook::lab::world::Place::Host(host.into()))
            .ok_or("a host is gone")?;
        for name in machine
            .files
            .names(FILES)
            .map_err(|error| format!("{error:?}"))?
        {
            let path = format!("{FILES}/{name}");
            let text = machine.files.text(&path).unwrap_or_default();
            if !text.trim().is_empty() {
                return Err(format!(
                    "after undo {host}:{path} is {text:?}\n{}",
                    said(&undone)
                ));
            }
        }
    }
    Ok(())
}

/// How an edited book meets the record, worked out from the books.
struct Alignment {
    /// Places of the new book that the record answers.
    reused: Vec<Place>,
    new: Vec<Place>,
    orphaned: usize,
    /// Whether commands of the record lie behind a decision that cannot be made yet.
    refused: bool,
}

impl Alignment {
    fn of(old: &Book, new: &Book, history: &History) -> Self {
        let recorded: Vec<(Place, &Entry)> = places(old)
            .into_iter()
            .filter_map(|place| {
                let key = runbook::model::OperationKey(place.key());
                history.entry(&key).map(|entry| (place, entry))
            })
            .collect();
        let mut found = Self {
            reused: Vec::new(),
            new: Vec::new(),
            orphaned: 0,
            refused: false,
        };
        let mut cut: Vec<String> = Vec::new();
        let mut taken: Vec<String> = Vec::new();
        for place in places(new) {
            if cut.contains(&place.scope) {
                continue;
            }
            // A value that is not known yet is not the recorded one.
            let known = |used: &String| {
                found.reused.iter().any(|other| {
                    other.scope == place.scope && other.host == place.host && other.name == *used
                })
            };
            let ground = place.word == Word::Read || place.uses.as_ref().is_none_or(known);
            let same = |(other, _): &&(Place, &Entry)| {
                other.scope == place.scope
                    && other.call == place.call
                    && !taken.contains(&other.key())
            };
            let at_key = recorded
                .iter()
                .filter(same)
                .find(|(other, _)| other.nth == place.nth);
            match at_key
                .or_else(|| recorded.iter().find(same))
                .filter(|_| ground)
            {
                Some((other, _)) => {
                    taken.push(other.key());
                    found.reused.push(place);
                }
                None => {
                    if place.word == Word::Fork {
                        cut.push(place.scope.clone());
                    }
                    found.new.push(place);
                }
            }
        }
        found.refused = recorded.iter().any(|(place, entry)| {
            cut.contains(&place.scope)
                && !taken.contains(&place.key())
                && entry.intent.class == Class::Command
        });
        let left = recorded.iter().filter(|(place, entry)| {
            !taken.contains(&place.key())
                && matches!(
                    entry.intent.class,
                    Class::Change | Class::Command | Class::Ask
                )
        });
        found.orphaned = left.count();
        found
    }

    /// The listing says the same.
    fn compare(&self, said: &str) -> Result<(), String> {
        let line = format!(
            "{} operations reused, {} new, {} orphaned",
            self.reused.len(),
            self.new.len(),
            self.orphaned
        );
        match said.contains(&line) {
            true => Ok(()),
            false => Err(format!("expected {line:?} in:\n{said}")),
        }
    }

    /// How often a command may have run in all, if it had run `before` times when the engine died.
    fn times(&self, key: &(String, String), before: usize) -> std::ops::RangeInclusive<usize> {
        let is = |place: &&Place| place.host == key.0 && place.name == key.1;
        if self.reused.iter().any(|place| is(&place)) {
            return 1..=1;
        }
        let new = self.new.iter().find(is);
        match new.map(|place| place.word) {
            // Its guard sees the trace.
            Some(Word::Guarded) => 1..=before.max(1),
            Some(_) => before + 1..=before + 1,
            // Gone from the script, or behind a decision that could not be made before.
            None => before..=before + 1,
        }
    }
}

fn edits(seeds: u64) {
    let started = Instant::now();
    let shop = Workshop::new();
    let counts = Counts::default();
    let went_on = all(seeds, |seed| goes_on_edited(&shop, seed, &counts));
    println!(
        "{seeds} edits in {:.1} s: {went_on} of killed runs, {} refused, {} operations reused, {} runs put back, {} undos refused",
        started.elapsed().as_secs_f64(),
        counts.refused.into_inner(),
        counts.reused.into_inner(),
        counts.undone.into_inner(),
        counts.undo_refused.into_inner()
    );
}

#[test]
fn an_edited_script_reuses_what_is_the_same_and_does_nothing_twice() {
    edits(60);
}

#[test]
#[ignore = "takes minutes: cargo test --release --test sim_edits -- --ignored --nocapture"]
fn ten_thousand_edited_scripts_reuse_what_is_the_same_and_do_nothing_twice() {
    // About half of the runs are over before they are killed.
    edits(count(20_000));
}
