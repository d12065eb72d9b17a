//! The fuzz targets of `engine/fuzz` on their seeds and on a few thousand changed ones, without instrumentation:
//! so that they compile, and so that what they have found stays mended. `.ci/fuzz` runs them in earnest.
#![allow(
    unused_attributes,
    unused_imports,
    reason = "the targets are programs of their own"
)]

// The targets say `libfuzzer_sys::fuzz_target`; here that is the macro below.
extern crate self as libfuzzer_sys;

#[macro_export]
macro_rules! fuzz_target {
    (|$bytes:ident: &[u8]| $body:expr) => {
        pub fn target($bytes: &[u8]) {
            $body
        }
    };
    (|$text:ident: &str| $body:expr) => {
        pub fn target(bytes: &[u8]) {
            if let Ok($text) = std::str::from_utf8(bytes) {
                $body
            }
        }
    };
}

#[path = "../fuzz/fuzz_targets/edits.rs"]
mod edits;
#[path = "../fuzz/fuzz_targets/inventory.rs"]
mod inventory;
#[path = "../fuzz/fuzz_targets/journal.rs"]
mod journal;
#[path = "../fuzz/fuzz_targets/lab.rs"]
mod lab;
#[path = "../fuzz/fuzz_targets/plan.rs"]
mod plan;
#[path = "../fuzz/fuzz_targets/replies.rs"]
mod replies;
#[path = "../fuzz/fuzz_targets/script.rs"]
mod script;

/// Numbers without a pattern, the same each time (xorshift64, Marsaglia 2003).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

/// Bytes that mean something to one of the formats.
const SPICE: [&[u8]; 14] = [
    b"\n",
    b"\"",
    b"'",
    b": ",
    b"- ",
    b"{",
    b"}",
    b"#",
    b"&a ",
    b"*a",
    b"-1",
    b"99999999999999999999",
    b"~",
    b"\0",
];

fn changed(seed: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len() + 1);
        let to = (at + numbers.below(12)).min(bytes.len());
        match numbers.below(4) {
            0 => drop(bytes.drain(at..to)),
            1 => {
                let piece = bytes[at..to].to_vec();
                let at = numbers.below(bytes.len() + 1);
                bytes.splice(at..at, piece);
            }
            2 => {
                let spice = SPICE[numbers.below(SPICE.len())];
                bytes.splice(at..at, spice.iter().copied());
            }
            _ if at < bytes.len() => bytes[at] = numbers.below(128) as u8,
            _ => {}
        }
    }
    bytes
}

/// Runs a target on its seeds, and on `rounds` changed ones of each.
fn fuzz(name: &str, rounds: usize, target: fn(&[u8])) {
    let seeds = format!("{}/fuzz/seeds/{name}", env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<_> = std::fs::read_dir(&seeds)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{seeds} is empty");
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    for path in paths {
        let seed = std::fs::read(path).unwrap();
        target(&seed);
        for _ in 0..rounds {
            let bytes = changed(&seed, &mut numbers);
            let shown = String::from_utf8_lossy(&bytes).into_owned();
            let result = std::panic::catch_unwind(|| target(&bytes));
            assert!(result.is_ok(), "{name} fails on {shown:?}");
        }
    }
}

#[test]
fn edits_hold_on_their_seeds() {
    fuzz("edits", 3000, edits::target);
}

#[test]
fn inventories_hold_on_their_seeds() {
    fuzz("inventory", 1000, inventory::target);
}

#[test]
fn journals_hold_on_their_seeds() {
    fuzz("journal", 1000, journal::target);
}

#[test]
fn labs_hold_on_their_seeds() {
    fuzz("lab", 50, lab::target);
}

#[test]
fn plans_hold_on_their_seeds() {
    fuzz("plan", 2000, plan::target);
}

#[test]
fn replies_hold_on_their_seeds() {
    fuzz("replies", 500, replies::target);
}

#[test]
fn scripts_hold_on_their_seeds() {
    fuzz("script", 30, script::target);
}
