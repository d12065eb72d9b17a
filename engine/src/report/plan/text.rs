//! A plan as it is read in a terminal: by step, then by host; then what cannot be known, what will be asked, what is
//! touched.

use std::collections::{BTreeSet, HashMap};

use crate::report::look::{Look, Tone};

use super::group::{Group, groups, unknown};
use super::radius::some;
use super::{Heading, Plan, PlanEntry, PlanKind, Radius, reason, says_more};

impl Plan {
    /// The plan as text: what is equal on several hosts is shown once.
    pub fn render(&self, look: &Look) -> String {
        let mut lines = Vec::new();
        for group in groups(self) {
            step(look, &group, &mut lines);
        }
        self.not_known(look, &mut lines);
        self.asked(look, &mut lines);
        self.touched(look, &mut lines);
        lines.push(self.totals());
        let mut out = String::new();
        for line in lines {
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }

    /// What cannot be known, and because of what.
    fn not_known(&self, look: &Look, lines: &mut Vec<String>) {
        let causes = unknown(self);
        if causes.is_empty() {
            return;
        }
        lines.push(look.paint(Tone::Strong, "Not known before the run"));
        for (cause, ends) in causes {
            let head = format!("after {}, the run decides in", look.line(cause));
            lines.push(format!("  {} {head}", look.paint(Tone::Bad, "plan ends")));
            for line in ends_by_step(&ends) {
                lines.push(format!("      {}", look.line(&line)));
            }
        }
        lines.push(String::new());
    }

    /// The questions and the work by hand, once more in one place.
    fn asked(&self, look: &Look, lines: &mut Vec<String>) {
        let asked: Vec<&PlanEntry> = self
            .entries
            .iter()
            .filter(|entry| matches!(entry.kind, PlanKind::Question | PlanKind::Manual))
            .collect();
        if asked.is_empty() {
            return;
        }
        lines.push(look.paint(Tone::Strong, "You will be asked"));
        for entry in asked {
            let by_hand = match entry.kind {
                PlanKind::Manual => "to do by hand: ",
                _ => "",
            };
            let place = entry.scope.steps().join(" / ");
            let place = match place.is_empty() {
                true => place,
                false => look.paint(Tone::Dim, &format!("  ({})", look.line(&place))),
            };
            lines.push(format!("  {by_hand}{}{place}", look.line(&entry.summary)));
        }
        lines.push(String::new());
    }

    fn touched(&self, look: &Look, lines: &mut Vec<String>) {
        let radius = Radius::of(self);
        if radius.is_empty() {
            return;
        }
        lines.push(look.paint(Tone::Strong, "Touches"));
        for (count, names) in radius.lines() {
            let names = look.line(&names);
            lines.push(format!("  {count:<16}{}", look.paint(Tone::Cool, &names)));
        }
        lines.push(String::new());
    }
}

/// The places of a cause by step: which hosts, and where in the text.
pub(super) fn ends_by_step(ends: &[&PlanEntry]) -> Vec<String> {
    let mut steps: Vec<(String, BTreeSet<String>, BTreeSet<String>)> = Vec::new();
    // A plan may end in as many places as it has hosts times steps.
    let mut by_title: HashMap<String, usize> = HashMap::new();
    for entry in ends {
        let title = match entry.scope.steps().join(" / ") {
            title if title.is_empty() => {
                "the runbook itself: nothing after it is planned".to_owned()
            }
            title => title,
        };
        let at = *by_title.entry(title).or_insert_with_key(|title| {
            steps.push((title.clone(), BTreeSet::new(), BTreeSet::new()));
            steps.len() - 1
        });
        let host = super::place(entry);
        if host != "run" {
            steps[at].1.insert(host.to_owned());
        }
        if let Some(source) = &entry.source {
            steps[at].2.insert(source.to_string());
        }
    }
    let told = |(title, hosts, sources): (String, BTreeSet<String>, BTreeSet<String>)| {
        let hosts = match hosts.is_empty() {
            true => String::new(),
            false => format!(": {}", some(&hosts, 6)),
        };
        let sources = match sources.is_empty() {
            true => String::new(),
            false => format!("  ({})", some(&sources, 3)),
        };
        format!("{title}{hosts}{sources}")
    };
    steps.into_iter().map(told).collect()
}

fn step(look: &Look, group: &Group<'_>, lines: &mut Vec<String>) {
    let title: Vec<String> = group.steps.iter().map(|step| look.line(step)).collect();
    let title = match title.is_empty() {
        true => "Outside of the steps".to_owned(),
        false => title.join(" / "),
    };
    lines.push(look.paint(Tone::Strong, &title));
    for (hosts, entry) in &group.items {
        item(look, hosts, entry, lines);
    }
    for what in &group.assuming {
        let text = format!("assuming that {}", look.line(what));
        lines.push(format!("  {}", look.paint(Tone::Dim, &text)));
    }
    lines.push(String::new());
}

fn item(look: &Look, hosts: &[&str], entry: &PlanEntry, lines: &mut Vec<String>) {
    let tone = match entry.kind {
        PlanKind::Fails | PlanKind::Ends => Tone::Bad,
        PlanKind::File | PlanKind::Change | PlanKind::Command | PlanKind::Manual => Tone::Warn,
        _ => Tone::Dim,
    };
    let place = match hosts {
        ["run"] => String::new(),
        _ => {
            let hosts = look.line(&hosts.join(", "));
            format!("{}: ", look.paint(Tone::Cool, &hosts))
        }
    };
    let word = look.paint(tone, &format!("{:<9}", entry.kind.word()));
    let (limit, why) = reason(entry);
    let line = look.line(&format!("{}{limit}", entry.summary));
    lines.push(format!("  {word} {place}{line}"));
    if let Some(diff) = entry.diff.as_deref().filter(|diff| says_more(diff)) {
        lines.extend(look.diff(6, diff));
    }
    for line in why.iter().flat_map(|why| look.lines(why)) {
        lines.push(format!(
            "      {}",
            look.paint(Tone::Dim, &format!("({line})"))
        ));
    }
}

impl Heading {
    /// What stands above a plan that was made before.
    pub fn render(&self, look: &Look) -> String {
        let title = look.paint(Tone::Strong, &look.line(&self.title));
        let mut out = format!("{title}\n{}\n", look.line(&self.line()));
        for (name, value, origin) in &self.parameters {
            let line = look.line(&format!("{name} = {value}  ({origin})"));
            out.push_str(&format!("  {}\n", look.paint(Tone::Dim, &line)));
        }
        out + "\n"
    }
}
