//! Edits of a book, and what they must come to when a run that was begun with the old one goes on with the new one.

use super::book::{Block, Book, Limits, Operation, Word};
use super::dice::Dice;

/// One place of a book where a word is called: the journal's key and what is asked for there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub host: String,
    /// Steps and branch.
    pub scope: String,
    /// Count within the scope, from 1.
    pub nth: usize,
    /// Name of the operation in the book.
    pub name: String,
    pub word: Word,
    /// Word and arguments: two places with the same call ask for the same.
    pub call: String,
    /// The operation of the same scope whose value the call has in it.
    pub uses: Option<String>,
}

impl Place {
    /// The key in the journal.
    pub fn key(&self) -> String {
        format!("{}#{}", self.scope, self.nth)
    }
}

/// Every call of a book.
pub fn places(book: &Book) -> Vec<Place> {
    let mut found = Vec::new();
    for block in &book.blocks {
        for host in &block.hosts {
            let mut nth = 0;
            for operation in &block.operations {
                for call in calls(operation) {
                    nth += 1;
                    found.push(Place {
                        host: host.clone(),
                        scope: scope(block, host),
                        nth,
                        name: operation.name.clone(),
                        word: operation.word,
                        call: format!("{host} {call}"),
                        uses: operation.uses.clone(),
                    });
                }
            }
        }
    }
    found
}

/// The calls that an operation of the book is made of.
fn calls(operation: &Operation) -> Vec<String> {
    let Operation {
        name,
        word,
        uses,
        salt,
        ..
    } = operation;
    let uses = uses.clone().unwrap_or_default();
    match word {
        Word::Detached => vec![
            format!("Detached {name} {salt}"),
            format!("wait for {name}"),
        ],
        Word::Fork => vec![format!("Fork {name} {salt}"), format!("note {name}")],
        // What is read is what its words say, whatever the operation is called.
        Word::Read => vec![format!("Read {uses}")],
        // The closure of an edit is no argument: the same file is the same call.
        Word::Edit => vec!["Edit common".to_owned()],
        word => vec![format!("{word:?} {name} {salt} {uses}")],
    }
}

fn scope(block: &Block, host: &str) -> String {
    let mut scope = format!("/{}", block.title);
    if block.width > 0 {
        scope.push_str(&format!("/each[{host}]"));
    }
    if let Some(inner) = &block.inner {
        scope.push_str(&format!("/{inner}"));
    }
    scope
}

/// Changes a book in one or two places.
pub fn edited(book: &Book, dice: &mut Dice) -> Book {
    let mut book = book.clone();
    for nth in 0..dice.between(1, 2) {
        edit(&mut book, dice, nth);
    }
    for block in &mut book.blocks {
        mend(block);
    }
    book
}

fn edit(book: &mut Book, dice: &mut Dice, nth: usize) {
    let which = dice.below(book.blocks.len());
    let block = &mut book.blocks[which];
    let at = dice.below(block.operations.len());
    match dice.below(7) {
        0 | 1 => {
            let mut new = Operation::generate(dice, Limits { detached: true }, 90 + nth, &[]);
            if dice.percent(25) {
                new.word = Word::Fork;
            }
            let at = dice.below(block.operations.len() + 1);
            block.operations.insert(at, new);
        }
        2 if block.operations.len() > 1 => {
            block.operations.remove(at);
        }
        3 if block.operations.len() > 1 => {
            let other = (at + 1) % block.operations.len();
            block.operations.swap(at, other);
        }
        4 => block.title = format!("{} renamed", block.title),
        5 => block.inner = Some("wrapped".into()),
        _ => block.operations[at].salt = format!("salt{nth}-"),
    }
}

/// What an edit has taken the ground from: a value that is used must come first.
fn mend(block: &mut Block) {
    let mut before: Vec<String> = Vec::new();
    for operation in &mut block.operations {
        let lost = operation
            .uses
            .as_ref()
            .is_some_and(|used| !before.contains(used));
        if lost {
            operation.uses = None;
            if operation.word == Word::Read {
                operation.word = Word::Probe;
            }
        }
        before.push(operation.name.clone());
    }
}
