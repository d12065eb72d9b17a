//! The command line: arguments and what each command does with them.

pub mod args;
