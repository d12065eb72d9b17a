//! The files of a simulated host or pod: read, compare and replace.

use super::exchange::Disturbance;
use super::{LabConnection, Request};
use crate::lab::program::{Access, Session};
use crate::lab::world::{Entry, World};
use crate::model::{FileState, TargetPath};
use crate::transport::{FILE_LIMIT, FileKind, TransportError};

impl LabConnection {
    pub(super) fn file(
        &self,
        world: &mut World,
        path: &TargetPath,
    ) -> Result<FileState, TransportError> {
        let session = Session::new(world, self.place.clone(), Access::Look);
        let Some(stat) = session.stat(path.as_str()) else {
            return Ok(FileState::Absent);
        };
        if stat.kind != FileKind::File {
            return Err(self.refused(format!("{path} is not a regular file")));
        }
        if stat.size > FILE_LIMIT {
            return Err(self.refused(format!(
                "{path} has {} bytes; files over {FILE_LIMIT} are not read",
                stat.size
            )));
        }
        if let Some(machine) = world.machine(&self.place)
            && let Ok((image, _)) = machine.files.file(path.as_str())
        {
            return Ok(FileState::Present(image.clone()));
        }
        let session = Session::new(world, self.place.clone(), Access::Look);
        let content = session
            .read(path.as_str())
            .map_err(|why| self.refused(format!("{path}: {why}")))?;
        Ok(FileState::Present(crate::lab::world::plain(content, 0o444)))
    }

    pub(super) fn write(
        &self,
        path: &TargetPath,
        expected: &FileState,
        wanted: &FileState,
    ) -> Result<(), TransportError> {
        self.change(|world| {
            let (disturbance, _) = self.arrive(world, &format!("write {path}"))?;
            let again = || Request::Replace {
                path: path.clone(),
                expected: Box::new(expected.clone()),
                wanted: Box::new(wanted.clone()),
            };
            match disturbance {
                Disturbance::Failed => {
                    return Err(self.refused("a fault of the lab: No space left on device"));
                }
                Disturbance::LosesRequest => return Err(self.given_up()),
                Disturbance::Delays(delay) => {
                    world.hold_back(delay, self.name(), again());
                    return Err(self.given_up());
                }
                Disturbance::RebootsAtStart => {
                    self.reboot(world);
                    return Err(self.given_up());
                }
                _ => {}
            }
            self.replace(world, path, expected, wanted)?;
            match disturbance {
                Disturbance::LosesAnswer => Err(self.given_up()),
                Disturbance::RebootsAtEnd => {
                    self.reboot(world);
                    Err(self.given_up())
                }
                Disturbance::Repeats(delay) => {
                    world.hold_back(delay, self.name(), again());
                    Ok(())
                }
                _ => Ok(()),
            }
        })
    }

    pub(super) fn replace(
        &self,
        world: &mut World,
        path: &TargetPath,
        expected: &FileState,
        wanted: &FileState,
    ) -> Result<(), TransportError> {
        if self.file(world, path)? != *expected {
            return Err(TransportError::Changed {
                target: self.target.clone(),
                what: path.to_string(),
            });
        }
        let now = world.seconds();
        let machine = world
            .machine_mut(&self.place)
            .ok_or_else(|| self.refused("it is not there any more"))?;
        let done = match wanted {
            FileState::Present(image) => machine.files.put(path.as_str(), image.clone(), now),
            FileState::Absent => match machine.files.get(path.as_str()) {
                Ok((real, Entry::File(..))) => machine.files.remove(&real),
                Ok(_) | Err(_) => Ok(()),
            },
        };
        done.map_err(|why| self.refused(format!("{path}: {why}")))
    }
}
