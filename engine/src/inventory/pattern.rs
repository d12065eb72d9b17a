//! `-l`: which hosts a pattern means.

use std::collections::BTreeSet;

use super::Inventory;
use crate::model::HostName;

/// Why a pattern names no host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// There is nothing in it.
    #[error("the pattern is empty; write names of hosts or groups, separated by commas")]
    Empty,
    /// A part of it names nothing.
    #[error("no host or group matches {part:?}{}", near.as_ref().map(|near| format!("; did you mean {near:?}?")).unwrap_or_default())]
    Unknown {
        /// The part.
        part: String,
        /// What was probably meant.
        near: Option<String>,
    },
    /// Its parts name something, but together they leave nothing.
    #[error("{pattern:?} leaves no host")]
    NothingLeft {
        /// The pattern.
        pattern: String,
    },
}

/// The hosts that the parts of a pattern name together.
pub(super) fn select(
    inventory: &Inventory,
    pattern: &str,
) -> Result<BTreeSet<HostName>, LimitError> {
    let parts: Vec<&str> = pattern
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    if parts.is_empty() {
        return Err(LimitError::Empty);
    }
    let mut chosen: BTreeSet<HostName> = match parts.iter().all(|part| part.starts_with('!')) {
        true => inventory.hosts().cloned().collect(),
        false => BTreeSet::new(),
    };
    for part in parts.iter().filter(|part| !part.starts_with('!')) {
        chosen.extend(named(inventory, part)?);
    }
    // Whatever the order of the parts: what is taken away stays away.
    for excluded in parts.iter().filter_map(|part| part.strip_prefix('!')) {
        for host in named(inventory, excluded.trim())? {
            chosen.remove(&host);
        }
    }
    match chosen.is_empty() {
        true => Err(LimitError::NothingLeft {
            pattern: pattern.to_owned(),
        }),
        false => Ok(chosen),
    }
}

fn named(inventory: &Inventory, part: &str) -> Result<BTreeSet<HostName>, LimitError> {
    if let Some(hosts) = inventory.groups.get(part) {
        return Ok(hosts.iter().cloned().collect());
    }
    let is_glob = part.contains(['*', '?']);
    let groups = inventory
        .groups
        .iter()
        .filter(|(name, _)| is_glob && *name != "all" && glob(part, name));
    let of_groups = groups.flat_map(|(_, hosts)| hosts);
    let hosts = inventory.hosts().filter(|host| glob(part, host.as_str()));
    let found: BTreeSet<HostName> = hosts.chain(of_groups).cloned().collect();
    match found.is_empty() {
        true => Err(LimitError::Unknown {
            part: part.to_owned(),
            near: inventory.nearest(part).map(str::to_owned),
        }),
        false => Ok(found),
    }
}

/// `*` stands for any characters, `?` for one.
fn glob(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n, mut star, mut mark) = (0, 0, None, 0);
    while n < name.len() {
        if p < pattern.len() && (pattern[p] == '?' || pattern[p] == name[n]) {
            p += 1;
            n += 1;
        } else if p < pattern.len() && pattern[p] == '*' {
            star = Some(p);
            mark = n;
            p += 1;
        } else if let Some(star) = star {
            p = star + 1;
            mark += 1;
            n = mark;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "hosts: {web-1: {}, web-2: {}, db-1: {}}\ngroups: {web: {hosts: [web-1, web-2]}, data: [db-1], none: []}\n";

    fn limit(pattern: &str) -> Result<Vec<String>, LimitError> {
        let inventory = Inventory::parse("t", TEXT).unwrap();
        inventory
            .limit(pattern)
            .map(|hosts| hosts.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn names_groups_globs_and_exclusions() {
        for (pattern, hosts) in [
            ("web", &["web-1", "web-2"][..]),
            ("db-1, web-1", &["web-1", "db-1"]),
            ("all", &["web-1", "web-2", "db-1"]),
            ("*", &["web-1", "web-2", "db-1"]),
            ("*-1", &["web-1", "db-1"]),
            ("web-?", &["web-1", "web-2"]),
            ("da*", &["db-1"]),
            ("web,!web-2", &["web-1"]),
            ("!web-2,web", &["web-1"]),
            ("!web", &["db-1"]),
            ("all,!*-1", &["web-2"]),
            ("web-1,,", &["web-1"]),
        ] {
            assert_eq!(limit(pattern).unwrap(), hosts, "{pattern}");
        }
    }

    #[test]
    fn matching_nothing_is_an_error() {
        for (pattern, part) in [
            (
                "wbe",
                "no host or group matches \"wbe\"; did you mean \"web\"?",
            ),
            ("web,wbe-1", "did you mean \"web-1\"?"),
            ("web,!wbe-1", "did you mean \"web-1\"?"),
            ("x*", "no host or group matches \"x*\""),
            ("WEB", "did you mean \"web\"?"),
            ("web,!web-1,!web-2", "leaves no host"),
            ("!all", "leaves no host"),
            ("none", "leaves no host"),
            ("", "empty"),
            (" , ", "empty"),
            ("!", "no host or group matches \"\""),
        ] {
            let error = limit(pattern).unwrap_err().to_string();
            assert!(error.contains(part), "{pattern}: {error}");
        }
    }

    proptest! {
        #[test]
        fn globs_match_like_a_regular_expression(pattern in "[ab*?]{0,6}", name in "[ab]{0,6}") {
            let expression = format!("^{}$", pattern.replace('*', ".*").replace('?', "."));
            prop_assert_eq!(glob(&pattern, &name), regex::Regex::new(&expression).unwrap().is_match(&name));
        }
    }
}
