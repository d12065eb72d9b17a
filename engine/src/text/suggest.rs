//! "Did you mean …?"

/// The candidate that a person who typed `given` probably meant, if one is near enough.
pub fn closest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = given.to_lowercase();
    candidates
        .into_iter()
        .filter(|candidate| *candidate != given)
        .map(|candidate| (strsim::damerau_levenshtein(&folded, &candidate.to_lowercase()), candidate))
        // A third of the letters may be wrong, at least one: `lan_ifcae` finds `lan_iface`, `eth0` does not find `web1`.
        .filter(|(distance, candidate)| *distance <= (given.chars().count().max(candidate.chars().count()) / 3).max(1))
        .min_by_key(|(distance, candidate)| (*distance, candidate.len()))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant_and_nothing_else() {
        let known = ["lan_iface", "namespace", "k3s-agent-1"];
        assert_eq!(closest("lan_ifcae", known), Some("lan_iface"));
        assert_eq!(closest("Namespaces", known), Some("namespace"));
        assert_eq!(closest("k3s-agent1", known), Some("k3s-agent-1"));
        assert_eq!(closest("timeout", known), None);
    }
}
