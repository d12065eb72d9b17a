//! `-l`: which hosts a pattern means.

use std::collections::BTreeSet;

use super::Inventory;
use crate::model::HostName;
use crate::text::suggest;

/// The hosts that the parts of a pattern name together.
pub fn select(inventory: &Inventory, pattern: &str) -> Result<BTreeSet<HostName>, String> {
    let parts: Vec<&str> = pattern.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    let only_exclusions = !parts.is_empty() && parts.iter().all(|part| part.starts_with('!'));
    let mut chosen: BTreeSet<HostName> = if only_exclusions { inventory.hosts().cloned().collect() } else { BTreeSet::new() };
    for part in parts {
        match part.strip_prefix('!') {
            Some(excluded) => {
                for host in named(inventory, excluded)? {
                    chosen.remove(&host);
                }
            }
            None => chosen.extend(named(inventory, part)?),
        }
    }
    Ok(chosen)
}

fn named(inventory: &Inventory, part: &str) -> Result<BTreeSet<HostName>, String> {
    let mut found = inventory.members(part);
    found.extend(inventory.hosts().filter(|host| glob(part, host.as_str())).cloned());
    if !found.is_empty() {
        return Ok(found);
    }
    let groups = inventory.group_names();
    let known = inventory.hosts().map(HostName::as_str).chain(groups.iter().map(String::as_str));
    let near = suggest::closest(part, known).map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
    Err(format!("no host or group matches {part:?}{near}"))
}

/// `*` stands for any characters, `?` for one.
fn glob(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
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

    const TEXT: &str = "hosts: {web-1: {}, web-2: {}, db-1: {}}\ngroups: {web: {hosts: [web-1, web-2]}}\n";

    fn limit(pattern: &str) -> Result<Vec<String>, String> {
        let inventory = Inventory::parse("t", TEXT).unwrap();
        inventory.limit(pattern).map(|hosts| hosts.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn names_groups_globs_and_exclusions() {
        assert_eq!(limit("web").unwrap(), ["web-1", "web-2"]);
        assert_eq!(limit("*-1").unwrap(), ["web-1", "db-1"]);
        assert_eq!(limit("web,!web-2").unwrap(), ["web-1"]);
        assert_eq!(limit("!web").unwrap(), ["db-1"]);
        assert_eq!(limit("web-?").unwrap(), ["web-1", "web-2"]);
    }

    #[test]
    fn matching_nothing_is_an_error() {
        assert!(limit("wbe").unwrap_err().contains("did you mean \"web\""));
        assert!(limit("web,!web-1,!web-2").is_err());
        assert!(limit("").is_err());
    }
}
