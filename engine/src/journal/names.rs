//! Names by which operations are found among hundreds of thousands.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// A name of any length in 16 bytes, by which it is found.
pub(super) type Name = [u8; 16];

/// Places of operations by a name of 16 bytes.
pub(super) type Named<N> = HashMap<N, u32, BuildHasherDefault<Folded>>;

/// The name of a text.
pub(super) fn name(text: &str) -> Name {
    shortened(&blake3::hash(text.as_bytes()))
}

/// The name of anything that can be hashed. Only good within one process: what is fed to the hash is nowhere promised.
pub(super) fn name_of(what: &impl Hash) -> Name {
    let mut digest = Digest(blake3::Hasher::new());
    what.hash(&mut digest);
    shortened(&digest.0.finalize())
}

fn shortened(hash: &blake3::Hash) -> Name {
    *hash.as_bytes().first_chunk().expect("a hash has 32 bytes")
}

/// Gives what is hashed to BLAKE3, so that nobody can find another of the same name.
struct Digest(blake3::Hasher);

impl Hasher for Digest {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

/// Folds a name that is a hash already into the number that a map wants: the standard hasher defends against keys that
/// somebody chose, and costs more than finding them.
#[derive(Default)]
pub(super) struct Folded(u64);

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        for eight in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..eight.len()].copy_from_slice(eight);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        // Names of operations are hexadecimal digits, which have few bits each: a product spreads them.
        let product =
            u128::from(self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        self.0 = (product ^ (product >> 64)) as u64;
    }

    fn write_usize(&mut self, length: usize) {
        // Every name has the same length.
        self.0 ^= length as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::BuildHasher as _;

    use super::*;
    use crate::model::{OperationId, OperationKey, RunId, Target};

    #[test]
    fn names_are_spread_over_a_map() {
        let run = RunId::parse("run").unwrap();
        let named = Named::<OperationId>::default();
        let id = |nth: u32| OperationId::derive(&run, 0, &OperationKey(format!("/go#{nth}")));
        let hashes: Vec<u64> = (0..40_000)
            .map(|nth| named.hasher().hash_one(id(nth)))
            .collect();
        // A map takes its places from the lowest bits, and tells neighbours apart by the highest.
        for part in [|hash: &u64| hash & 0xffff, |hash: &u64| hash >> 48] {
            let distinct: HashSet<u64> = hashes.iter().map(part).collect();
            // By chance 65,536 · (1 − e^(−40,000 / 65,536)) = 29,900 of them.
            assert!(distinct.len() > 29_000, "{}", distinct.len());
        }
    }

    #[test]
    fn what_differs_has_another_name() {
        let names: HashSet<Name> = [
            name_of(&("a", &Target::Run, "b")),
            name_of(&("a", &Target::Cluster, "b")),
            name_of(&("ab", &Target::Run, "")),
            name_of(&("", &Target::Run, "ab")),
        ]
        .into();
        assert_eq!(names.len(), 4);
    }
}
