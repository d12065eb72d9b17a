//! An exchange with a simulated host or pod: time passes, the target is reached or not, a fault strikes or not.

use super::{FaultKind, LabConnection, Request};
use crate::lab::world::{self, Millis, Place, World};
use crate::transport::TransportError;

/// How long one exchange with a target takes.
pub(super) const EXCHANGE: Millis = 20;

/// What a fault did to an exchange.
pub(super) enum Disturbance {
    None,
    Failed,
    LosesAnswer,
    LosesRequest,
    Delays(Millis),
    Repeats(Millis),
    RebootsAtStart,
    RebootsAtEnd,
}

impl LabConnection {
    /// Time passes; the target is reached or not; a fault strikes or not.
    /// `what` is what the exchange asks for, in words.
    pub(super) fn arrive(
        &self,
        world: &mut World,
        what: &str,
    ) -> Result<(Disturbance, bool), TransportError> {
        let mut happened = world.advance(EXCHANGE);
        if let Some(why) = world.unreachable(&self.place) {
            return Err(TransportError::Unreachable {
                target: self.target.clone(),
                why,
            });
        }
        if world.machine(&self.place).is_none() {
            return Err(self.refused(format!(
                "it is not there (any more); the lab has {}",
                match self.place {
                    Place::Host(_) => "no such host",
                    Place::Pod(_) => "no running pod of this name",
                }
            )));
        }
        let contacts = world.counts.contacts.slot(self.name());
        *contacts += 1;
        let nth = *contacts;
        happened |= self.deliver(world);
        let planned = world
            .faults
            .iter_mut()
            .find_map(|fault| fault.strikes(self.name(), nth, what).then_some(fault.kind));
        let by_chance = |world: &mut World| world.chance.as_mut()?.strike(self.name(), nth);
        let Some(kind) = planned.or_else(|| by_chance(world)) else {
            // Faults count commands, so the count is kept while any is still to come.
            let counting = world.chance.is_some() || world.faults.iter().any(|fault| !fault.done);
            return Ok((Disturbance::None, happened || counting));
        };
        let struck = world.counts.faults.entry(kind.name().to_owned());
        *struck.or_default() += 1;
        let millis = |seconds: u32| Millis::from(seconds) * 1000;
        let disturbance = match kind {
            FaultKind::LoseConnection => Disturbance::LosesAnswer,
            FaultKind::LoseRequest => Disturbance::LosesRequest,
            FaultKind::Delay(seconds) => Disturbance::Delays(millis(seconds)),
            FaultKind::Twice(seconds) => Disturbance::Repeats(millis(seconds)),
            FaultKind::Fail => Disturbance::Failed,
            FaultKind::Late(seconds) => {
                world.advance(millis(seconds));
                Disturbance::None
            }
            FaultKind::Reboot => {
                self.reboot(world);
                Disturbance::LosesAnswer
            }
            FaultKind::RebootAtStart => Disturbance::RebootsAtStart,
            FaultKind::RebootAtEnd => Disturbance::RebootsAtEnd,
        };
        Ok((disturbance, true))
    }

    pub(super) fn reboot(&self, world: &mut World) {
        world.lose_requests(self.name());
        if let Place::Host(name) = &self.place {
            world::reboot(world, name);
        }
    }

    /// Executes the requests that were held back and have arrived by now. Nobody waits for their answers.
    fn deliver(&self, world: &mut World) -> bool {
        let arrived = world.arrived(self.name());
        let any = !arrived.is_empty();
        for request in arrived {
            let done = match request {
                Request::Launch(launch) => {
                    let key = Self::key(&launch.marker, launch.attempt);
                    self.start(world, &launch, &key, false).map(|_| ())
                }
                Request::Replace {
                    path,
                    expected,
                    wanted,
                } => self.replace(world, &path, &expected, &wanted),
            };
            world.counts.refused += u32::from(done.is_err());
        }
        any
    }

    /// What became of a request of which nobody will hear.
    pub(super) fn given_up(&self) -> TransportError {
        self.lost("connection reset by peer (a fault of the lab)")
    }

    /// Looks at the target; what a fault did is stored even so.
    pub(super) fn look<T>(
        &self,
        what: &str,
        look: impl FnOnce(&mut World) -> Result<(T, bool), TransportError>,
    ) -> Result<T, TransportError> {
        self.lab
            .glance(|world| {
                let (disturbance, happened) = match self.arrive(world, what) {
                    Ok(arrived) => arrived,
                    Err(error) => return (Err(error), true),
                };
                match disturbance {
                    Disturbance::LosesAnswer
                    | Disturbance::LosesRequest
                    | Disturbance::Delays(_) => (Err(self.given_up()), true),
                    Disturbance::RebootsAtStart | Disturbance::RebootsAtEnd => {
                        self.reboot(world);
                        (Err(self.given_up()), true)
                    }
                    Disturbance::Failed => (
                        Err(self.refused("a fault of the lab refused this request")),
                        true,
                    ),
                    // A second look hurts nobody.
                    Disturbance::None | Disturbance::Repeats(_) => match look(world) {
                        Ok((value, changed)) => (Ok(value), happened || changed),
                        Err(error) => (Err(error), happened),
                    },
                }
            })
            .map_err(|error| self.refused(error.to_string()))?
    }

    pub(super) fn change<T>(
        &self,
        change: impl FnOnce(&mut World) -> Result<T, TransportError>,
    ) -> Result<T, TransportError> {
        self.lab
            .change(change)
            .map_err(|error| self.refused(error.to_string()))?
    }
}
