//! Changes: convergent operations.

use crate::model::{Image, ObjectRef, Subject, Value};
use crate::transport::{ActingFleet, Cancel, ObservingFleet, Temporary};

use super::Failure;

/// A convergent change: the state that it wants follows from the state that it finds, and applying it twice is
/// the same as once.
pub trait Change {
    /// The word, such as `file.set_yaml`.
    fn kind(&self) -> &str;
    /// The arguments, as plain data.
    fn arguments(&self) -> Value;
    /// One line for a reader, such as `set flannel-iface: eth0`.
    fn summary(&self) -> String;
    /// What is changed.
    fn subject(&self) -> Subject;
    /// The state as it is.
    fn observe(&self, fleet: &dyn ObservingFleet, cancel: &Cancel) -> Result<Image, Failure>;
    /// The state as it shall be, given the state that was found. Pure.
    fn wanted(&self, before: &Image) -> Result<Image, Failure>;
    /// What the target says to the change beforehand, where it can be asked without having it: a note for the plan. An
    /// error says that it would refuse it. Asked in dry runs only.
    fn rehearse(&self, _: &dyn ObservingFleet, _after: &Image) -> Result<Option<String>, Failure> {
        Ok(None)
    }
    /// The object that it makes for a time only: noted with the intent, so that it is found again whatever happens.
    fn makes(&self) -> Option<Temporary> {
        None
    }
    /// The object of that kind that it removes.
    fn removes(&self) -> Option<&ObjectRef> {
        None
    }
    /// Makes it so. Called only when `before` is not already as wanted.
    fn apply(
        &self,
        fleet: &dyn ActingFleet,
        before: &Image,
        after: &Image,
        cancel: &Cancel,
    ) -> Result<(), Failure>;
    /// Whether the state `now` is what `after` asked for. Not always equality: a deleted pod is gone also when its
    /// controller has made another of the same name.
    fn reached(&self, after: &Image, now: &Image) -> bool {
        after == now
    }
    /// Whether undo can put the before-image back; if not, why.
    fn reversible(&self) -> Result<(), String> {
        Ok(())
    }
    /// The targets and files whose later observation the change may alter, besides its own subject.
    fn affects(&self) -> super::command::Affects {
        super::command::Affects::default()
    }
}
