//! A disk that fails on request: builds `disk_shim.c` and loads it into the program under test.
#![allow(dead_code)] // each test file uses a part of it

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The built library, or why there is none on this system.
pub fn shim() -> Result<&'static Path, String> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    BUILT.get_or_init(build).as_deref().map_err(Clone::clone)
}

fn build() -> Result<PathBuf, String> {
    if !cfg!(all(target_os = "linux", target_env = "gnu")) {
        return Err(
            "the library between program and system calls is written for Linux with glibc".into(),
        );
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/disk_shim.c");
    let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (library, fresh) = (
        place.join("disk_shim.so"),
        place.join(format!("disk_shim-{}.so", std::process::id())),
    );
    let built = Command::new("cc")
        .args(["-Wall", "-Werror", "-O1", "-shared", "-fPIC", "-o"])
        .args([&fresh, &source])
        .arg("-ldl")
        .output()
        .map_err(|error| format!("no C compiler: {error}"))?;
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    // Several tests may build it at once.
    std::fs::rename(&fresh, &library).map_err(|error| error.to_string())?;
    Ok(library)
}

/// What a disk does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call fails with EIO.
    Error,
    /// It fails with ENOSPC.
    NoSpace,
    /// Half is written.
    Short,
    /// Half is written, and from then on there is no space.
    Full,
}

/// How long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasts {
    /// Only this call.
    Once,
    /// And every later call of its kind.
    Sticky,
}

/// Loads the shim into a command; it watches `root`.
pub fn load(command: &mut Command, shim: &Path, root: &Path) {
    command.env("LD_PRELOAD", shim).env("SHIM_ROOT", root);
}

/// Lets the call with this number fail.
pub fn fail(command: &mut Command, call: usize, fault: Fault, lasts: Lasts) {
    let name = match fault {
        Fault::Error => "eio",
        Fault::NoSpace => "enospc",
        Fault::Short => "short",
        Fault::Full => "full",
    };
    command
        .env("SHIM_AT", call.to_string())
        .env("SHIM_FAULT", name);
    if lasts == Lasts::Sticky {
        command.env("SHIM_STICKY", "1");
    }
}
