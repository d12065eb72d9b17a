//! Faults by chance: which exchange is struck, and by what, follows from a seed, so that every run of bad luck can be
//! had again.

use serde::{Deserialize, Serialize};

use super::FaultKind;
use crate::lab::world::hash;

/// How many of a thousand exchanges are struck if nobody says.
const PER_MILLE: u32 = 50;
/// How many are struck at most if nobody says: a run must come to its end some day.
const MOST: u32 = 8;

/// A plan of faults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chance {
    /// What everything follows from.
    pub seed: u64,
    /// How many of a thousand exchanges are struck.
    pub per_mille: u32,
    /// How many may still be.
    pub left: u32,
    /// Which faults there are; none leaves every exchange alone.
    pub kinds: Vec<FaultKind>,
}

impl Chance {
    /// A plan of every kind of fault.
    pub fn new(seed: u64, per_mille: u32, most: u32) -> Self {
        Self {
            seed,
            per_mille,
            left: most,
            kinds: FaultKind::every(),
        }
    }

    /// Reads `seed:N`, `seed:N:PER_MILLE` or `seed:N:PER_MILLE:MOST`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no plan of faults; expected seed:N, seed:N:PER_MILLE or seed:N:PER_MILLE:MOST"
            )
        };
        let numbers: Vec<u64> = text
            .strip_prefix("seed:")
            .ok_or_else(wrong)?
            .split(':')
            .map(|part| part.parse().map_err(|_| wrong()))
            .collect::<Result<_, _>>()?;
        let small = |number: u64| u32::try_from(number).map_err(|_| wrong());
        match numbers[..] {
            [seed] => Ok(Self::new(seed, PER_MILLE, MOST)),
            [seed, rate] if rate <= 1000 => Ok(Self::new(seed, small(rate)?, MOST)),
            [seed, rate, most] if rate <= 1000 => Ok(Self::new(seed, small(rate)?, small(most)?)),
            _ => Err(wrong()),
        }
    }

    /// Whether another is the same plan, however much of it has happened.
    pub fn is_like(&self, other: &Self) -> bool {
        (self.seed, self.per_mille, &self.kinds) == (other.seed, other.per_mille, &other.kinds)
    }

    /// What strikes the `nth` exchange with a place, if anything does.
    pub fn strike(&mut self, place: &str, nth: u32) -> Option<FaultKind> {
        let roll = hash(&["fault", &self.seed.to_string(), place, &nth.to_string()]);
        if self.left == 0 || self.kinds.is_empty() || roll % 1000 >= u64::from(self.per_mille) {
            return None;
        }
        self.left -= 1;
        let kinds = self.kinds.len() as u64;
        let kind = self.kinds[((roll >> 16) % kinds) as usize];
        // From half a second to half a minute, about as often either side of the engine's patience.
        let seconds = 1 + ((roll >> 32) % 40) as u32;
        Some(kind.lasting(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strikes(chance: &mut Chance) -> Vec<(u32, FaultKind)> {
        (1..2000)
            .filter_map(|nth| Some((nth, chance.strike("a", nth)?)))
            .collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_bad_luck() {
        let plan = Chance::parse("seed:7:100:50").unwrap();
        let (first, again) = (strikes(&mut plan.clone()), strikes(&mut plan.clone()));
        assert_eq!(first, again);
        assert_eq!(first.len(), 50, "at most as many as the plan allows");
        assert_ne!(first, strikes(&mut Chance::parse("seed:8:100:50").unwrap()));
    }

    #[test]
    fn the_rate_is_about_what_was_asked_for_and_every_kind_comes_up() {
        let mut plan = Chance::new(1, 100, u32::MAX);
        let struck = strikes(&mut plan);
        assert!((150..250).contains(&struck.len()), "{}", struck.len());
        for kind in FaultKind::every() {
            let came = struck.iter().any(|(_, found)| found.name() == kind.name());
            assert!(came, "{kind:?} never came up");
        }
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        for text in ["seed:", "seed:x", "seed:1:1001", "seed:1:2:3:4", "7"] {
            assert!(Chance::parse(text).is_err(), "{text}");
        }
    }
}
