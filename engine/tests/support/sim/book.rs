//! Small runbooks from a seed, and what must have become of the hosts when one is through.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::dice::Dice;

/// Where commands leave the trace that they ran: one line for each time.
pub const EFFECTS: &str = "/var/lib/sim";
/// Where files are written.
pub const FILES: &str = "/etc/sim";

/// A runbook: blocks one after the other, each on one host or on several at once.
#[derive(Clone, Debug)]
pub struct Book {
    pub blocks: Vec<Block>,
}

/// The operations of one step.
#[derive(Clone, Debug)]
pub struct Block {
    /// The step's title.
    pub title: String,
    /// The title of a step around its operations, inside of the branches.
    pub inner: Option<String>,
    pub hosts: Vec<String>,
    /// How many branches at once; 0: no `each` at all.
    pub width: usize,
    pub operations: Vec<Operation>,
}

/// One operation; `name` is unique in the book and stands in everything that it leaves behind.
#[derive(Clone, Debug)]
pub struct Operation {
    pub name: String,
    pub word: Word,
    /// The operation before it in the same block whose value it uses.
    pub uses: Option<String>,
    /// What an edit has added to its arguments.
    pub salt: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// A command, opaque, at most once.
    Run,
    /// The same with a guard.
    Guarded,
    /// A command that goes on by itself, and a wait for its end.
    Detached,
    /// A command whose output decides what is said next; only edits bring it in.
    Fork,
    /// A value that is another one each time it is asked for.
    Probe,
    /// The trace of an earlier command.
    Read,
    /// A file, replaced.
    Write,
    /// A line in a file that all operations on the host share.
    Edit,
    /// A change in the script's own words, applied by a command.
    Change,
    Note,
    Confirm,
}

/// Which words a generated book may have.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub detached: bool,
}

impl Book {
    pub fn generate(dice: &mut Dice, hosts: &[&str], limits: Limits) -> Self {
        let mut count = 0;
        let blocks = (0..dice.between(1, 3))
            .map(|nth| Block::generate(dice, hosts, limits, nth, &mut count))
            .collect();
        Self { blocks }
    }

    /// The script.
    pub fn text(&self) -> String {
        let mut text = String::from("runbook #{ title: \"simulated\" };\n");
        for block in &self.blocks {
            let _ = writeln!(text, "step \"{}\" {{", block.title);
            if block.width == 0 {
                let _ = writeln!(text, "let h = host(\"{}\");", block.hosts[0]);
            } else {
                let hosts: Vec<String> = block
                    .hosts
                    .iter()
                    .map(|host| format!("host(\"{host}\")"))
                    .collect();
                let _ = writeln!(
                    text,
                    "each([{}], #{{ parallel: {} }}, |h| {{",
                    hosts.join(", "),
                    block.width
                );
            }
            if let Some(inner) = &block.inner {
                let _ = writeln!(text, "step \"{inner}\" {{");
            }
            for operation in &block.operations {
                operation.write(&mut text);
            }
            if block.inner.is_some() {
                text.push_str("}\n");
            }
            text.push_str(if block.width == 0 { "}\n" } else { "}); }\n" });
        }
        text
    }

    /// The `each` of the book in the order in which they are met: branches, and how many at once.
    pub fn parallel_blocks(&self) -> Vec<(usize, usize)> {
        let each = self.blocks.iter().filter(|block| block.width > 0);
        each.map(|block| (block.hosts.len(), block.width.min(block.hosts.len())))
            .collect()
    }

    /// Every operation on every host of its block.
    pub fn instances(&self) -> impl Iterator<Item = (&str, &Operation)> {
        self.blocks.iter().flat_map(|block| {
            block.hosts.iter().flat_map(move |host| {
                let operations = block.operations.iter();
                operations.map(move |operation| (host.as_str(), operation))
            })
        })
    }

    /// What must be on the hosts at the end, by host and path, given the values that the journal recorded
    /// (by host and name of the operation).
    pub fn wanted(
        &self,
        values: &BTreeMap<(String, String), String>,
    ) -> BTreeMap<(String, String), String> {
        let mut wanted: BTreeMap<(String, String), String> = BTreeMap::new();
        for (host, operation) in self.instances() {
            let used = operation.uses.as_ref().map(|name| {
                let key = (host.to_owned(), name.clone());
                values.get(&key).cloned().unwrap_or_default()
            });
            let used = used.unwrap_or_default();
            let (name, salt) = (&operation.name, &operation.salt);
            let mut put = |path: String, text: String| wanted.insert((host.to_owned(), path), text);
            match operation.word {
                Word::Run | Word::Guarded | Word::Detached | Word::Fork => {
                    put(
                        format!("{EFFECTS}/{name}"),
                        format!("{name} {salt}{used}\n"),
                    );
                }
                Word::Write => {
                    put(operation.file(), format!("{name} {salt}{used}\n"));
                }
                Word::Change => {
                    put(operation.file(), format!("{name}{salt}\n"));
                }
                Word::Edit => {
                    let path = (host.to_owned(), format!("{FILES}/common"));
                    let text = wanted.entry(path).or_default();
                    let _ = writeln!(text, "{name}");
                }
                Word::Probe | Word::Read | Word::Note | Word::Confirm => {}
            }
        }
        wanted
    }
}

impl Block {
    fn generate(
        dice: &mut Dice,
        hosts: &[&str],
        limits: Limits,
        nth: usize,
        count: &mut usize,
    ) -> Self {
        let mut left = hosts.to_vec();
        let wanted = match dice.percent(70) {
            true => dice.between(2, hosts.len()),
            false => 1,
        };
        let mut chosen = Vec::new();
        while chosen.len() < wanted {
            chosen.push(left.remove(dice.below(left.len())).to_owned());
        }
        let width = match chosen.len() {
            1 => dice.below(2),
            all => *dice.pick(&[1, 2, all, all, all]),
        };
        let mut operations: Vec<Operation> = Vec::new();
        for _ in 0..dice.between(1, 4) {
            *count += 1;
            operations.push(Operation::generate(dice, limits, *count, &operations));
        }
        Self {
            title: format!("block {nth}"),
            inner: None,
            hosts: chosen,
            width,
            operations,
        }
    }
}

impl Operation {
    pub fn generate(dice: &mut Dice, limits: Limits, count: usize, before: &[Self]) -> Self {
        let word = *dice.pick(&[
            Word::Run,
            Word::Run,
            Word::Run,
            Word::Guarded,
            Word::Detached,
            Word::Probe,
            Word::Read,
            Word::Write,
            Word::Write,
            Word::Edit,
            Word::Change,
            Word::Change,
            Word::Note,
            Word::Confirm,
        ]);
        let traced: Vec<&Self> = before
            .iter()
            .filter(|other| matches!(other.word, Word::Run | Word::Guarded))
            .collect();
        let word = match word {
            Word::Detached if !limits.detached => Word::Run,
            Word::Read if traced.is_empty() => Word::Probe,
            word => word,
        };
        let valued: Vec<&Self> = before.iter().filter(|other| other.has_value()).collect();
        let uses = match word {
            Word::Read => Some(dice.pick(&traced).name.clone()),
            Word::Run | Word::Guarded | Word::Write if !valued.is_empty() && dice.percent(60) => {
                Some(dice.pick(&valued).name.clone())
            }
            _ => None,
        };
        // Some files are written by several operations of a block, one after the other: `w3_1`, `w3_2` share `w3`.
        let again = before
            .iter()
            .filter(|other| other.word == word && matches!(word, Word::Write | Word::Change))
            .map(|other| other.stem().to_owned())
            .next_back();
        let name = match again {
            Some(stem) if dice.percent(50) => format!("{stem}_{count}"),
            _ => format!("{}{count}", word.letter()),
        };
        Self {
            name,
            word,
            uses,
            salt: String::new(),
        }
    }

    fn has_value(&self) -> bool {
        matches!(
            self.word,
            Word::Run | Word::Guarded | Word::Probe | Word::Read
        )
    }

    fn stem(&self) -> &str {
        self.name
            .split_once('_')
            .map_or(self.name.as_str(), |(stem, _)| stem)
    }

    /// The file that it writes.
    pub fn file(&self) -> String {
        format!("{FILES}/{}", self.stem())
    }

    fn write(&self, text: &mut String) {
        let name = &self.name;
        let (file, salt) = (self.file(), &self.salt);
        let used = self
            .uses
            .as_ref()
            .map_or("\"\"".to_owned(), |used| format!("v_{used}"));
        let run = format!(
            "\"echo '{name} {salt}\" + {used} + \"' >> {EFFECTS}/{name}; echo out of {name}\""
        );
        let _ = match self.word {
            Word::Run => writeln!(text, "let v_{name} = h.run({run}).stdout; v_{name}.trim();"),
            Word::Guarded => writeln!(
                text,
                "let v_{name} = h.run({run}, #{{ creates: \"{EFFECTS}/{name}\" }}).stdout; v_{name}.trim();"
            ),
            Word::Fork => writeln!(
                text,
                "if h.run({run}).stdout.contains(\"out\") {{ note(\"{name} said so\"); }}"
            ),
            Word::Detached => writeln!(
                text,
                "h.run(\"sleep 20; echo '{name} {salt}' >> {EFFECTS}/{name}\", #{{ detach: true }});\n\
                 wait_until(\"{name} is there\", #{{ timeout: \"30m\", every: \"7s\" }}, || h.file(\"{EFFECTS}/{name}\").exists());"
            ),
            Word::Probe => writeln!(
                text,
                "let v_{name} = h.probe(\"echo {name} {salt}$(date +%s)\").stdout; v_{name}.trim();"
            ),
            Word::Read => {
                let read = self.uses.as_deref().unwrap_or_default();
                writeln!(
                    text,
                    "let v_{name} = h.file(\"{EFFECTS}/{read}\").read(); v_{name}.trim();"
                )
            }
            Word::Write => writeln!(
                text,
                "h.file(\"{file}\").write(\"{name} {salt}\" + {used} + \"\\n\");"
            ),
            Word::Edit => writeln!(
                text,
                "h.file(\"{FILES}/common\").edit(|text| if text.contains(\"{name}\\n\") {{ text }} else {{ text + \"{name}\\n\" }});"
            ),
            Word::Change => writeln!(
                text,
                "change(#{{ target: h, what: \"{file} by {name}\", want: \"{name}{salt}\",\n\
                 observe: || {{ let now = h.probe(\"cat {file} 2>/dev/null; true\").stdout; now.trim(); now }},\n\
                 apply: |to| h.run(\"echo \" + to + \" > {file}\") }});"
            ),
            Word::Note => writeln!(text, "note(\"{name}{salt}\");"),
            Word::Confirm => writeln!(text, "confirm(\"{name}{salt}?\");"),
        };
    }
}

impl Word {
    fn letter(self) -> &'static str {
        match self {
            Self::Run => "r",
            Self::Guarded => "g",
            Self::Detached => "d",
            Self::Fork => "k",
            Self::Probe => "p",
            Self::Read => "f",
            Self::Write => "w",
            Self::Edit => "e",
            Self::Change => "c",
            Self::Note => "n",
            Self::Confirm => "q",
        }
    }
}
