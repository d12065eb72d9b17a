//! One seed: a runbook, its bad luck, its resumes, and the judgement.

use std::cell::RefCell;
use std::collections::BTreeMap;

use runbook::journal::{CrashPoint, History, StateDirectory, Stored};
use runbook::lab::LabFleet;
use runbook::lab::fleet::{Chance, ClusterHook, FaultKind};
use runbook::lab::world::World;
use runbook::model::{OperationId, Target};
use runbook::transport::{ActingFleet as _, Cancel, Command, ObservingFleet as _, TransportError};

use super::book::{Book, Limits};
use super::dice::Dice;
use super::engine::{End, Fate, Life};
use super::fleet::Last;
use super::hosts::{HOSTS, bare_world, text_of};
use super::judge::{self, continues};

/// What a seed went through.
#[derive(Clone, Debug, Default)]
pub struct Story {
    pub sessions: usize,
    pub deaths: usize,
    pub asked: usize,
    pub faults: BTreeMap<String, u32>,
    pub refused: u32,
    pub operations: usize,
    pub commands: usize,
    /// The whole end: for the test that a seed gives the same story twice.
    pub digest: String,
}

/// How much goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Luck {
    /// Nothing.
    Good,
    /// Everything that the seed says.
    Bad,
}

/// Plays one seed; the error says what was violated.
pub fn play(state: &StateDirectory, seed: u64, luck: Luck) -> Result<Story, String> {
    let case = Case::new(state, seed, luck);
    let result = case.play();
    // Nothing is kept but what was wrong.
    let _ = std::fs::remove_dir_all(case.life.path());
    result.map_err(|why| format!("seed {seed}: {why}\n\n{}", case.book.text()))
}

struct Case {
    book: Book,
    life: Life,
    dice: Dice,
    luck: Luck,
    /// What the journal had after the last session.
    known: RefCell<Known>,
}

#[derive(Default)]
struct Known {
    records: Vec<Stored>,
    history: Option<History>,
}

impl Case {
    fn new(state: &StateDirectory, seed: u64, luck: Luck) -> Self {
        let mut dice = Dice::new(seed, "case");
        // A host that reboots kills what runs on it by itself, and then the end cannot be the uninterrupted one.
        let detached = dice.percent(30);
        let hosts = &HOSTS[..dice.between(2, 4)];
        let book = Book::generate(&mut dice, hosts, Limits { detached });
        let mut world = bare_world();
        let mut chance = Chance::new(seed, *dice.pick(&[0, 30, 80, 150]), 6);
        if detached {
            let harmless = |kind: &FaultKind| !kind.reboots() && *kind != FaultKind::Fail;
            chance.kinds.retain(harmless);
        }
        if luck == Luck::Bad {
            world.chance = Some(chance);
        }
        Self {
            life: Life::new(state, seed, world, &book),
            book,
            dice,
            luck,
            known: RefCell::default(),
        }
    }

    /// Reads the journal as the engine has left it. What was there before is there still.
    fn look_into_the_journal(&self) -> Result<(), String> {
        let records = self.life.records().unwrap_or_default();
        continues(&self.known.borrow().records, &records)?;
        let history = match records.is_empty() {
            true => None,
            false => Some(History::from_records(&records).map_err(|error| error.to_string())?),
        };
        self.known.replace(Known { records, history });
        Ok(())
    }

    fn play(&self) -> Result<Story, String> {
        let mut dice = self.dice.clone();
        let mut story = Story::default();
        let mut stops = Vec::new();
        loop {
            story.sessions += 1;
            let fate = self.fate(&mut dice, story.deaths);
            let begun = self.known.borrow().history.is_some();
            let end = self.life.live(&fate, begun)?;
            self.judge_session()?;
            match end {
                End::Done => break,
                End::Dead => story.deaths += 1,
                // Whoever resumes looks first what is wrong, and by then a host that was rebooting is back.
                End::Stopped(why) => {
                    stops.push(why);
                    self.wait(180_000);
                }
                End::Asks(operations) => {
                    for operation in operations {
                        story.asked += 1;
                        self.answer(&operation)?;
                    }
                }
            }
            let struck: u32 = self.counts(|world| world.counts.faults.values().sum());
            // Each session but the last ends by a death, or by a fault that at most two questions follow.
            let most = 2 + story.deaths + 3 * struck as usize;
            if story.sessions > most {
                return Err(format!(
                    "{} sessions after {} deaths and {struck} faults: resume does not come to an end\n{}",
                    story.sessions,
                    story.deaths,
                    stops.join("\n")
                ));
            }
        }
        self.let_late_requests_arrive()?;
        self.judge_end(&mut story)?;
        Ok(story)
    }

    fn fate(&self, dice: &mut Dice, deaths: usize) -> Fate {
        let turns = Dice::new(dice.roll(), "turns");
        let dies = self.luck == Luck::Bad && dice.percent([70, 50, 30, 10, 0][deaths.min(4)]);
        let known = self.known.borrow().records.len();
        let (mut journal, mut exchange) = (None, None);
        if dies {
            let at = known as u64 + dice.between(1, 24) as u64;
            let nth = dice.between(1, 24);
            match dice.below(5) {
                0 => journal = Some(CrashPoint::Before(at)),
                1 | 2 => journal = Some(CrashPoint::After(at)),
                3 => exchange = Some(Last::Before(nth)),
                _ => exchange = Some(Last::After(nth)),
            }
        }
        Fate {
            journal,
            exchange,
            turns,
        }
    }

    fn counts<T>(&self, count: impl FnOnce(&World) -> T) -> T {
        self.life
            .lab
            .glance(|world| (count(world), false))
            .expect("a lab in memory can be read")
    }

    /// Time passes on the hosts.
    fn wait(&self, millis: i64) {
        self.life
            .lab
            .change(|world| world.advance(millis))
            .expect("a lab in memory can be changed");
    }

    fn text(&self, host: &str, path: &str) -> Option<String> {
        self.counts(|world| text_of(world, host, path))
    }

    /// A person looks at the host, where the truth is, and answers accordingly.
    fn answer(&self, operation: &OperationId) -> Result<(), String> {
        let known = self.known.borrow();
        let entry = known
            .history
            .as_ref()
            .and_then(|history| history.by_id(operation))
            .ok_or_else(|| format!("asked about {operation}, which the journal does not have"))?;
        let done = judge::left_a_trace(&entry.intent, |host, path| self.text(host, path))?;
        self.life
            .resolve(operation, if done { "done" } else { "retry" })
    }

    /// After each session: what the script was told is what the journal has, and nothing ran twice.
    fn judge_session(&self) -> Result<(), String> {
        self.look_into_the_journal()?;
        if let Some(history) = &self.known.borrow().history {
            self.life.seen.compare(history);
        }
        let violations = self.life.seen.violations();
        if !violations.is_empty() {
            return Err(violations.join("\n"));
        }
        judge::at_most_once(&self.book, |host, path| self.text(host, path))?;
        Ok(())
    }

    /// Whatever is still on its way arrives now; the gates stand until the run is closed.
    fn let_late_requests_arrive(&self) -> Result<(), String> {
        let no_cluster: ClusterHook = std::sync::Arc::new(|_| Err(TransportError::Interrupted));
        self.life
            .lab
            .change(|world| {
                world.chance = None;
                world.advance(3_600_000);
            })
            .map_err(|error| error.to_string())?;
        let fleet = LabFleet::acting(self.life.lab.clone(), no_cluster)
            .map_err(|error| error.to_string())?;
        for host in HOSTS {
            let target = Target::Host(runbook::model::HostName::parse(host)?);
            let seen = fleet.observer(&target).and_then(|observer| {
                let nothing = Command::argv(["true"]);
                observer.probe(
                    &nothing,
                    std::time::Duration::from_secs(1),
                    &Cancel::default(),
                )
            });
            seen.map_err(|error| error.to_string())?;
        }
        fleet.close();
        Ok(())
    }

    /// The end: the hosts are as the runbook says, every command ran once.
    fn judge_end(&self, story: &mut Story) -> Result<(), String> {
        self.judge_session()?;
        let known = self.known.borrow();
        let history = known.history.as_ref().ok_or("there is no journal")?;
        judge::end(&self.book, history, |host, path| self.text(host, path))?;
        story.operations = history.entries().count();
        story.commands = history
            .entries()
            .filter(|entry| entry.intent.kind == "host.run")
            .count();
        let (faults, refused) =
            self.counts(|world| (world.counts.faults.clone(), world.counts.refused));
        (story.faults, story.refused) = (faults, refused);
        let record = |stored: &Stored| format!("{} {:?}\n", stored.seq, stored.record);
        story.digest = known.records.iter().map(record).collect();
        Ok(())
    }
}
