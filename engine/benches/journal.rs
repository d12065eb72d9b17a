//! Makes the journal of a run longer, for `lab.sh`: the command that it recorded is recorded again and again, under
//! the keys that its loop would give it, by the journal's own writer. What a resume then reads and replays is what a
//! run of so many commands would have left; making it by a run takes the time of the commands as well.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use runbook::journal::{Journal, Record, StateDirectory, Stored};
use runbook::model::{OperationId, OperationKey, RunId, Secrets};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [state, run, operations] = &words[..] else {
        return Err("journal STATE RUN OPERATIONS".into());
    };
    let run = RunId::parse(run).ok_or("that is no run")?;
    let directory = StateDirectory::open(PathBuf::from(state))?.run(&run);
    let (journal, records) = Journal::open(&directory, Arc::new(Secrets::new()))?;
    let (intent, outcome) = command(&records).ok_or("it has no command that ended")?;
    let scope = intent
        .key
        .0
        .strip_suffix("#1")
        .ok_or("its command is not the first of its scope")?;
    for nth in 2..=operations.parse::<usize>()? {
        let key = OperationKey(format!("{scope}#{nth}"));
        let id = OperationId::derive(&run, 0, &key);
        let mut intent = intent.clone();
        (intent.key, intent.id) = (key, id.clone());
        journal.note(Record::Intent(intent))?;
        let mut outcome = outcome.clone();
        outcome.id = id;
        journal.note(Record::Outcome(outcome))?;
    }
    journal.flush()?;
    Ok(())
}

/// The first command with its outcome.
fn command(
    records: &[Stored],
) -> Option<(
    Box<runbook::journal::Intent>,
    Box<runbook::journal::Outcome>,
)> {
    let intent = records.iter().find_map(|stored| match &stored.record {
        Record::Intent(intent) => Some(intent.clone()),
        _ => None,
    })?;
    let outcome = records.iter().find_map(|stored| match &stored.record {
        Record::Outcome(outcome) if outcome.id == intent.id => Some(outcome.clone()),
        _ => None,
    })?;
    Some((intent, outcome))
}
