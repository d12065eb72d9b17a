//! Lending a world to closures, which can only hold what they own.

use std::sync::{Arc, Mutex, PoisonError};

use crate::lab::words::WorldAccess;
use crate::lab::world::World;

/// A world on loan.
struct Loan(Mutex<World>);

impl WorldAccess for Loan {
    fn work(&self, work: &mut dyn FnMut(&mut World)) -> Result<(), String> {
        // One word works on it at a time; a word that is called within another has a loan of its own.
        let mut world = self.0.try_lock().map_err(|_| {
            "a word of the lab was used within another word of the same host".to_owned()
        })?;
        work(&mut world);
        Ok(())
    }
}

/// Calls `work` with the world on loan and takes it back whole.
pub fn lend<T>(world: &mut World, work: impl FnOnce(Arc<dyn WorldAccess>) -> T) -> T {
    let loan = Arc::new(Loan(Mutex::new(std::mem::replace(world, World::empty()))));
    let given = work(loan.clone());
    let mut back = loan.0.lock().unwrap_or_else(PoisonError::into_inner);
    // What somebody kept of it finds nothing in it any more.
    *world = std::mem::replace(&mut *back, World::empty());
    given
}
