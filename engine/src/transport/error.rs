//! Why a transport could not do what it was asked.

use crate::model::Target;

/// Failures of the way to a target, told apart from failures of what was run there.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TransportError {
    /// No connection could be made: nothing was started.
    #[error("{target} cannot be reached: {why}")]
    Unreachable {
        /// Which target.
        target: Target,
        /// What the transport said.
        why: String,
    },
    /// The connection was lost in the middle: what became of the effect is unknown until the target is asked.
    #[error("the connection to {target} was lost: {why}")]
    Lost {
        /// Which target.
        target: Target,
        /// What the transport said.
        why: String,
    },
    /// The target was reached and said no (permission, missing directory, not a regular file, too large …).
    #[error("{target}: {why}")]
    Refused {
        /// Which target.
        target: Target,
        /// What it said, and what to do about it where that is known.
        why: String,
    },
    /// What was to be replaced is no longer what was read; nothing was written.
    #[error("{target}: {what} changed between read and write")]
    Changed {
        /// Which target.
        target: Target,
        /// What changed.
        what: String,
    },
    /// The user does not want this target looked at in this way: what it would tell is unknown.
    #[error("{target} is not looked at: {why}")]
    Declined {
        /// Which target.
        target: Target,
        /// By which of the user's words.
        why: String,
    },
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
}
