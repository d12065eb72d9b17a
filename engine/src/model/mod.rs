//! The nouns that every layer shares: plain data, without behaviour that reaches outside the process.

mod image;
mod key;
mod secret;
mod secret_form;
mod source;
mod target;
mod value;

pub use image::{FileImage, FileState, Image, ObjectRef, Subject};
pub use key::{OperationId, OperationKey, RunId, ScopePath, Segment};
pub use secret::{SecretError, Secrets};
pub use source::SourcePosition;
pub use target::{HostName, Target, TargetPath};
pub use value::{Unknown, Value};
