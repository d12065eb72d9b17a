//! The lab as the store behind the in-process API.

use std::sync::Arc;

use serde_json::Value as Json;

use super::{delete_pod, key, kinds, logs, reconcile, store};
use crate::lab::Lab;
use crate::lab::api::{ApiBackend, ApiRefusal};
use crate::lab::world::{Happening, World};
use crate::transport::{LogQuery, ObjectKind};

/// How long one request takes.
const REQUEST: i64 = 15;

/// A lab's API server.
#[derive(Debug)]
pub struct LabApi {
    lab: Arc<Lab>,
}

impl LabApi {
    /// The API of a lab.
    pub fn new(lab: Arc<Lab>) -> Self {
        Self { lab }
    }

    fn look<T>(&self, read: impl FnOnce(&World) -> T) -> Result<T, String> {
        self.lab
            .glance(|world| {
                let happened = world.advance(REQUEST);
                let answer = match world.api_down() {
                    Some(why) => Err(why),
                    None => Ok(read(world)),
                };
                (answer, happened)
            })
            .map_err(|error| error.to_string())?
    }

    fn act<T>(
        &self,
        write: impl FnOnce(&mut World) -> Result<T, ApiRefusal>,
    ) -> Result<T, ApiRefusal> {
        self.lab
            .change(|world| {
                world.advance(REQUEST);
                match world.api_down() {
                    Some(why) => Err(ApiRefusal::Down(why)),
                    None => write(world),
                }
            })
            .map_err(|error| ApiRefusal::Down(error.to_string()))?
    }
}

impl ApiBackend for LabApi {
    fn available(&self) -> Result<(), String> {
        self.look(|_| ())
    }

    fn kinds(&self) -> Vec<ObjectKind> {
        kinds()
    }

    fn get(
        &self,
        kind: &ObjectKind,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Json>, String> {
        self.look(|world| {
            world
                .objects
                .get(&key(&kind.plural, namespace, name))
                .cloned()
        })
    }

    fn list(&self, kind: &ObjectKind, namespace: Option<&str>) -> Result<Vec<Json>, String> {
        let prefix = match namespace {
            Some(namespace) => format!("{}/{namespace}/", kind.plural),
            None => format!("{}/", kind.plural),
        };
        self.look(|world| {
            world
                .objects
                .range(prefix.clone()..)
                .take_while(|(key, _)| key.starts_with(&prefix))
                .map(|(_, object)| object.clone())
                .collect()
        })
    }

    fn logs(&self, namespace: &str, pod: &str, query: &LogQuery) -> Result<Option<String>, String> {
        self.look(|world| logs::logs(world, namespace, pod, query))
    }

    fn create(&self, kind: &ObjectKind, mut object: Json) -> Result<Json, ApiRefusal> {
        self.act(|world| {
            let name = match object["metadata"]["name"].as_str() {
                Some(name) => name.to_owned(),
                None => {
                    let prefix = object["metadata"]["generateName"].as_str().ok_or_else(|| {
                        ApiRefusal::Invalid("metadata.name: Required value".into())
                    })?;
                    let serial = world.serial.to_string();
                    format!(
                        "{prefix}{}",
                        crate::lab::world::suffix(&[prefix, &serial], 5)
                    )
                }
            };
            object["metadata"]["name"] = name.clone().into();
            let namespace = namespace(kind, &object);
            let key = key(&kind.plural, namespace.as_deref(), &name);
            if world.objects.contains_key(&key) {
                return Err(ApiRefusal::AlreadyExists);
            }
            clear_system_fields(&mut object);
            if kind.kind == "Pod" {
                schedule(world, &mut object)?;
            }
            let object = store(world, &key, object);
            if kind.kind == "Pod" {
                let what = Happening::PodStart {
                    pod: format!("{}/{name}", namespace.unwrap_or_default()),
                    uid: object["metadata"]["uid"]
                        .as_str()
                        .unwrap_or_default()
                        .to_owned(),
                };
                world.plan(super::workloads::SCHEDULING, what);
            }
            Ok(object)
        })
    }

    fn replace(&self, kind: &ObjectKind, mut object: Json) -> Result<Json, ApiRefusal> {
        self.act(|world| {
            let name = object["metadata"]["name"]
                .as_str()
                .ok_or_else(|| ApiRefusal::Invalid("metadata.name: Required value".into()))?;
            let key = key(&kind.plural, namespace(kind, &object).as_deref(), name);
            let old = world.objects.get(&key).ok_or(ApiRefusal::NotFound)?;
            let (seen, stored) = (
                &object["metadata"]["resourceVersion"],
                &old["metadata"]["resourceVersion"],
            );
            if !seen.is_null() && seen != stored {
                return Err(ApiRefusal::Conflict(
                    "the object has been modified; please apply your changes to the latest version and try again".into(),
                ));
            }
            if same(&object, old) {
                return Ok(old.clone());
            }
            let (uid, created) = (
                old["metadata"]["uid"].clone(),
                old["metadata"]["creationTimestamp"].clone(),
            );
            object["metadata"]["uid"] = uid;
            object["metadata"]["creationTimestamp"] = created;
            let object = store(world, &key, object);
            reconcile(world, &key);
            Ok(object)
        })
    }

    fn delete(
        &self,
        kind: &ObjectKind,
        namespace: Option<&str>,
        name: &str,
        uid: Option<&str>,
    ) -> Result<Option<Json>, ApiRefusal> {
        self.act(|world| {
            let key = key(&kind.plural, namespace, name);
            let Some(object) = world.objects.get(&key).cloned() else {
                return Ok(None);
            };
            if uid.is_some_and(|uid| object["metadata"]["uid"] != uid) {
                return Err(ApiRefusal::Conflict(format!(
                    "the UID in the precondition ({}) does not match the UID in record ({})",
                    uid.unwrap_or_default(),
                    object["metadata"]["uid"].as_str().unwrap_or_default()
                )));
            }
            if kind.kind == "Pod" {
                let pod = format!("{}/{name}", namespace.unwrap_or_default());
                return Ok(delete_pod(world, &pod));
            }
            world.workloads.remove(&key);
            Ok(world.objects.remove(&key))
        })
    }
}

fn namespace(kind: &ObjectKind, object: &Json) -> Option<String> {
    kind.namespaced.then(|| {
        object["metadata"]["namespace"]
            .as_str()
            .unwrap_or("default")
            .to_owned()
    })
}

fn clear_system_fields(object: &mut Json) {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for field in ["uid", "creationTimestamp", "resourceVersion"] {
            metadata.remove(field);
        }
    }
}

/// Whether a replacement changes nothing: the API server then keeps the resource version.
fn same(new: &Json, old: &Json) -> bool {
    let mut new = new.clone();
    for field in ["uid", "creationTimestamp", "resourceVersion"] {
        new["metadata"][field] = old["metadata"][field].clone();
    }
    new == *old
}

/// A pod that names no node goes to the first that is ready.
fn schedule(world: &World, pod: &mut Json) -> Result<(), ApiRefusal> {
    pod["status"] = serde_json::json!({"phase": "Pending", "conditions": []});
    if pod["metadata"]["namespace"].is_null() {
        pod["metadata"]["namespace"] = "default".into();
    }
    let wanted = match pod["spec"]["nodeName"].as_str() {
        Some(name) => Some(name.to_owned()),
        None => pod["spec"]["nodeSelector"]["kubernetes.io/hostname"]
            .as_str()
            .map(str::to_owned),
    };
    let node = match wanted {
        Some(name) => name,
        None => world.hosts.keys().next().cloned().unwrap_or_default(),
    };
    let image = pod["spec"]["containers"][0]["image"].clone();
    if image.is_null() {
        return Err(ApiRefusal::Invalid(
            "spec.containers: Required value".into(),
        ));
    }
    pod["spec"]["nodeName"] = node.into();
    Ok(())
}
