//! "Did you mean …?"

/// The candidate that a person who typed `given` probably meant, if one is near enough.
pub fn closest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = given.to_lowercase();
    let length = folded.chars().count();
    candidates
        .into_iter()
        .filter(|candidate| *candidate != given)
        .filter_map(|candidate| {
            let other = candidate.to_lowercase();
            let (shorter, longer) = {
                let count = other.chars().count();
                (length.min(count), length.max(count))
            };
            let distance = strsim::damerau_levenshtein(&folded, &other);
            // A third of the letters may be wrong, at least one, never all: `lan_ifcae` finds `lan_iface`, `eth0` does
            // not find `web1`, and `a` does not find `b`.
            let near = distance <= (longer / 3).max(1) && distance < shorter.max(1);
            near.then_some((distance, candidate))
        })
        .min_by_key(|(distance, candidate)| (*distance, candidate.chars().count().abs_diff(length)))
        .map(|(_, candidate)| candidate)
}

/// The hint of an error about a wrong name: what was probably meant, or (where there are few) what there is.
pub fn hint<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    const FEW: usize = 12;
    let candidates: Vec<&str> = candidates.into_iter().collect();
    match closest(given, candidates.iter().copied()) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if candidates.is_empty() || candidates.len() > FEW => None,
        None => Some(format!("there is: {}", candidates.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant_and_nothing_else() {
        let known = ["lan_iface", "namespace", "k3s-agent-1", "k3s-agent-2", "b"];
        assert_eq!(closest("lan_ifcae", known), Some("lan_iface"));
        assert_eq!(closest("LAN_IFACE", known), Some("lan_iface"));
        assert_eq!(closest("Namespaces", known), Some("namespace"));
        assert_eq!(closest("k3s-agent1", known), Some("k3s-agent-1"));
        assert_eq!(closest("k3s-agent-3", known), Some("k3s-agent-1"));
        assert_eq!(closest("timeout", known), None);
        assert_eq!(closest("a", known), None);
        assert_eq!(closest("", known), None);
        assert_eq!(closest("x", []), None);
    }

    #[test]
    fn says_what_there_is_where_nothing_is_near() {
        assert_eq!(
            hint("hots", ["hosts", "groups"]).as_deref(),
            Some("did you mean `hosts`?")
        );
        assert_eq!(
            hint("zzz", ["hosts", "groups"]).as_deref(),
            Some("there is: hosts, groups")
        );
        assert_eq!(hint("zzz", []), None);
        assert_eq!(hint("zzz", ["name"; 13]), None);
    }
}
