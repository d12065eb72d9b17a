//! Names of closures that are the same in every process.

use std::sync::Once;

/// Rhai names anonymous functions by a hash; with a fixed seed the same text gives the same names, on which replay
/// relies. Must be called before the first interpreter of the process is made, so everybody who makes one calls it.
pub fn fix_names() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Already set means that somebody else in this process did: then the names are fixed as well.
        let _ = rhai::config::hashing::set_hashing_seed(Some([1, 2, 3, 4]));
    });
}
