//! A crash during the resume of a crash: the run is killed at one record, its resume at another, and a last resume
//! comes to the same end as if nothing had happened.

#[path = "support/sim/mod.rs"]
mod sim;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use sim::book::{Book, Limits};
use sim::dice::Dice;
use sim::hosts::HOSTS;
use sim::judge::{self, continues};
use sim::process::{State, Workshop, killed, said};

/// A book with parallel branches and about this many records.
fn book(seed: u64) -> Book {
    let mut dice = Dice::new(seed, "pairs");
    loop {
        let book = Book::generate(&mut dice, &HOSTS[..3], Limits { detached: true });
        let parallel = book.parallel_blocks().iter().any(|(_, width)| *width > 1);
        let size = book.instances().count();
        if parallel && (10..20).contains(&size) {
            return book;
        }
    }
}

/// `N` after the record, `N-` before it.
fn point(record: usize, before: bool) -> String {
    format!("{record}{}", if before { "-" } else { "" })
}

/// What came of the pairs of one first crash.
#[derive(Default)]
struct Sum {
    first: AtomicUsize,
    pairs: AtomicUsize,
    unkilled: AtomicUsize,
    wrong: Mutex<Vec<String>>,
}

/// Kills a run at a record, and its resume at each of `seconds` many further records.
fn pairs_of(book: &Book, shop: &Workshop, at: &str, seconds: usize, dice: &mut Dice, sum: &Sum) {
    let state = shop.state("first");
    let run = state.run(
        &["run", "book.rhai", "--lab", "lab.yaml", "--yes"],
        Some(at),
    );
    if !killed(&run) {
        sum.unkilled.fetch_add(1, Ordering::SeqCst);
        return;
    }
    let Some(id) = state.newest() else { return };
    let Ok(records) = state.records(&id) else {
        return; // killed before its first record: there is nothing to resume
    };
    if records.is_empty() {
        return;
    }
    sum.first.fetch_add(1, Ordering::SeqCst);
    for _ in 0..seconds {
        let second = point(records.len() + dice.between(1, 60), dice.percent(50));
        let copy = state.copy("second");
        let verdict = pair(book, &copy, &records, &second, sum);
        if let Err(why) = verdict {
            let text = format!("killed at {at}, then at {second}: {why}\n{}", book.text());
            sum.wrong.lock().unwrap().push(text);
            return;
        }
    }
}

fn pair(
    book: &Book,
    state: &State,
    first: &[runbook::journal::Stored],
    second: &str,
    sum: &Sum,
) -> Result<(), String> {
    let id = state.newest().ok_or("the run is gone")?;
    let resumed = state.run(&["resume", "--yes"], Some(second));
    let before_last = state.records(&id)?;
    continues(first, &before_last)?;
    if killed(&resumed) {
        sum.pairs.fetch_add(1, Ordering::SeqCst);
        judge::at_most_once(book, |host, path| state.text(host, path))?;
        let last = state.run(&["resume", "--yes"], None);
        if !last.status.success() && !is_over(&last) {
            return Err(said(&last));
        }
    } else {
        sum.unkilled.fetch_add(1, Ordering::SeqCst);
        if !resumed.status.success() && !is_over(&resumed) {
            return Err(said(&resumed));
        }
    }
    continues(&before_last, &state.records(&id)?)?;
    let world = state.world().ok_or("the lab has no state")?;
    let twice = world.counts.markers.iter().find(|(_, count)| **count != 1);
    if let Some((marker, count)) = twice {
        // Commands inside a change may be repeated with it; their gates are of the change's next attempt.
        let history = state.history(&id)?;
        let own = history
            .entries()
            .any(|entry| entry.intent.id.as_str() == marker);
        if own {
            return Err(format!("{marker} started {count} times"));
        }
    }
    judge::end(book, &state.history(&id)?, |host, path| {
        sim::hosts::text_of(&world, host, path)
    })
}

/// Killed after its very last record, by the first crash or the second, a run is over, and says so.
fn is_over(resumed: &std::process::Output) -> bool {
    said(resumed).contains("there is no run to resume")
}

/// At least `wanted` pairs, over `books` books, both sides of every record of their first run.
fn pairs(books: u64, wanted: usize) {
    let started = Instant::now();
    let sum = Sum::default();
    let next = AtomicUsize::new(0);
    std::thread::scope(|threads| {
        for worker in 0..2 {
            let (sum, next) = (&sum, &next);
            threads.spawn(move || {
                let shop = Workshop::new();
                let mut dice = Dice::new(worker, "second crash");
                // Without an end, runs that all fail before their first record would go on for ever.
                let most = 4 * (wanted + 140 * books as usize);
                while sum.pairs.load(Ordering::SeqCst) < wanted
                    && next.load(Ordering::SeqCst) < most
                    && sum.wrong.lock().unwrap().is_empty()
                {
                    // First crashes go through the records of one book after the other, and begin anew.
                    let turn = next.fetch_add(1, Ordering::SeqCst);
                    let book = book(turn as u64 % books);
                    shop.write("book.rhai", &book.text());
                    let at = turn / books as usize;
                    let at = point(1 + at / 2 % 70, at % 2 == 1);
                    pairs_of(&book, &shop, &at, 12, &mut dice, sum);
                }
            });
        }
    });
    let mut wrong = sum.wrong.into_inner().unwrap();
    let found = sum.pairs.load(Ordering::SeqCst);
    if wrong.is_empty() && found < wanted {
        wrong.push(format!(
            "runs are not killed where they should be: only {found} pairs"
        ));
    }
    println!(
        "{} pairs of crashes after {} first ones in {:.1} s; {} points lay behind the end",
        sum.pairs.into_inner(),
        sum.first.into_inner(),
        started.elapsed().as_secs_f64(),
        sum.unkilled.into_inner()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_crash_during_the_resume_of_a_crash_loses_nothing() {
    pairs(4, 60);
}

#[test]
#[ignore = "takes minutes: cargo test --release --test sim_pairs -- --ignored --nocapture"]
fn ten_thousand_crashes_during_the_resume_of_a_crash_lose_nothing() {
    // RUNBOOK_SIM_COUNT sets another number.
    let count = std::env::var("RUNBOOK_SIM_COUNT").ok();
    pairs(
        40,
        count.and_then(|count| count.parse().ok()).unwrap_or(10_000),
    );
}
