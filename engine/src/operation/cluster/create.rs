//! `kube.create`: an object of a fixed name, there as described.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json};

use super::verdict::rehearse;
use super::{arguments_of, failed, names_secret, object_in, observe_object, resolve, state_of};
use crate::model::{Image, ObjectRef, OperationId, Subject, Unknown, Value};
use crate::operation::{Change, Failure};
use crate::transport::{
    ActingFleet, Cancel, ClusterObserver, ObservingFleet, PatchKind, Proposal, Temporary,
    TransportError, covers,
};

/// The annotation of a created object: the operation that made it.
const ANNOTATION: &str = "runbook.dev/operation";

/// Creates an object. One that is there and has everything that the manifest asks for is as wanted, and so is one that
/// this very operation made, whatever admission made of it; one that is there and different is somebody else's, and is
/// not touched.
#[derive(Clone, Debug)]
pub struct CreateObject {
    object: ObjectRef,
    manifest: Json,
    /// Who creates it; none in a dry run, which has no names.
    operation: Option<OperationId>,
    /// It is there for a time only.
    temporary: bool,
}

impl CreateObject {
    /// Takes a manifest: `apiVersion`, `kind`, `metadata.name`, for most kinds `metadata.namespace`, and the rest.
    pub fn new(
        observer: &dyn ClusterObserver,
        manifest: Json,
        operation: Option<OperationId>,
    ) -> Result<Self, Failure> {
        let (object, manifest) = named("kube.create", observer, manifest)?;
        Ok(Self {
            object,
            manifest,
            operation,
            temporary: false,
        })
    }

    /// Takes the manifest of an object that the run itself removes: it is kept in the journal's list of such objects.
    pub fn temporary(
        observer: &dyn ClusterObserver,
        manifest: Json,
        operation: Option<OperationId>,
    ) -> Result<Self, Failure> {
        Ok(Self {
            temporary: true,
            ..Self::new(observer, manifest, operation)?
        })
    }

    /// What is sent: the manifest, signed by the operation.
    fn signed(&self) -> Json {
        let mut manifest = self.manifest.clone();
        if let Some(operation) = &self.operation {
            manifest["metadata"]["annotations"][ANNOTATION] = operation.as_str().into();
        }
        manifest
    }

    /// Whether an object is what this operation makes, or what it has made.
    fn is_made(&self, found: &Json) -> bool {
        let maker = found["metadata"]["annotations"][ANNOTATION].as_str();
        let ours = maker.is_some() && maker == self.operation.as_ref().map(OperationId::as_str);
        ours || covers(PatchKind::Merge, found, &self.manifest)
    }

    fn differs(&self, found: &Json) -> Failure {
        let mut places = Vec::new();
        differing("", found, &self.manifest, &mut places);
        Failure::Failed(
            failed(format!(
                "{} is there already, and is another than this",
                self.object
            ))
            .detail(format!("it differs in: {}", places.join(", ")))
            .hint("choose another name, or change what is there with kube.patch()"),
        )
    }
}

/// The object that a manifest describes, and the manifest as it is sent.
pub(super) fn named(
    word: &str,
    observer: &dyn ClusterObserver,
    mut manifest: Json,
) -> Result<(ObjectRef, Json), Failure> {
    let text = |value: &Json| value.as_str().map(str::to_owned);
    let lacks = |field: &str| Failure::Misuse(format!("{word}: the object lacks `{field}`"));
    let api_version = text(&manifest["apiVersion"]).ok_or_else(|| lacks("apiVersion"))?;
    let kind = text(&manifest["kind"]).ok_or_else(|| lacks("kind"))?;
    // A name of the server's choosing would be another object after each crash.
    let name = text(&manifest["metadata"]["name"]).ok_or_else(|| lacks("metadata.name"))?;
    let namespace = text(&manifest["metadata"]["namespace"]);
    let full = format!("{api_version}/{kind}");
    let object = resolve(observer, &full, namespace.as_deref(), &name)?;
    if object.namespace.is_none()
        && let Json::Object(metadata) = &mut manifest["metadata"]
    {
        metadata.remove("namespace");
    }
    if names_secret(&object) {
        encode_strings(&mut manifest);
    }
    Ok((object, state_of(manifest)))
}

/// The places in which `found` is not as `wanted`; not the values, which may be secrets.
fn differing(path: &str, found: &Json, wanted: &Json, places: &mut Vec<String>) {
    match wanted {
        Json::Object(fields) if found.is_object() => {
            for (key, wanted) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                differing(&format!("{path}{dot}{key}"), &found[key], wanted, places);
            }
        }
        _ if covers(PatchKind::Merge, found, wanted) => {}
        _ => places.push(path.to_owned()),
    }
}

/// `stringData` can be written but not read: the server moves it into `data`.
fn encode_strings(secret: &mut Json) {
    let Some(Json::Object(strings)) = secret
        .as_object_mut()
        .and_then(|fields| fields.remove("stringData"))
    else {
        return;
    };
    if !secret["data"].is_object() {
        secret["data"] = Json::Object(Map::new());
    }
    for (key, value) in strings {
        if let Some(text) = value.as_str() {
            secret["data"][key] = STANDARD.encode(text).into();
        }
    }
}

impl Change for CreateObject {
    fn kind(&self) -> &str {
        "kube.create"
    }

    fn arguments(&self) -> Value {
        let mut entries = arguments_of(&self.object);
        entries.push(("object", self.manifest.clone().into()));
        Value::from_entries(entries)
    }

    fn summary(&self) -> String {
        format!("create {}", self.object)
    }

    fn subject(&self) -> Subject {
        Subject::Object(self.object.clone())
    }

    fn observe(&self, fleet: &dyn ObservingFleet, _: &Cancel) -> Result<Image, Failure> {
        observe_object(&*fleet.cluster_observer()?, &self.object)
    }

    fn wanted(&self, before: &Image) -> Result<Image, Failure> {
        match object_in(before, &self.object)? {
            None => Ok(Image::Object(Some(self.manifest.clone()))),
            Some(found) if self.is_made(found) => Ok(before.clone()),
            Some(found) => Err(self.differs(found)),
        }
    }

    fn apply(
        &self,
        fleet: &dyn ActingFleet,
        _: &Image,
        _: &Image,
        _: &Cancel,
    ) -> Result<(), Failure> {
        let actor = fleet.cluster_actor()?;
        match actor.create(&self.signed()) {
            Ok(_) => Ok(()),
            // Somebody may have created the same in between.
            Err(refused @ TransportError::Refused { .. }) => match actor.get(&self.object)? {
                Some(found) if self.is_made(&state_of(found.clone())) => Ok(()),
                Some(found) => Err(self.differs(&state_of(found))),
                None => Err(refused.into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    fn reversible(&self) -> Result<(), String> {
        if self.temporary {
            return Err("it was there for a time only".into());
        }
        match names_secret(&self.object) {
            true => Err(format!(
                "whether {} still holds what was put into it cannot be told: contents are not kept in the journal",
                self.object
            )),
            false => Ok(()),
        }
    }

    fn reached(&self, _: &Image, now: &Image) -> bool {
        matches!(now, Image::Object(Some(now)) if self.is_made(now))
    }

    fn makes(&self) -> Option<Temporary> {
        self.temporary.then(|| Temporary {
            object: self.object.clone(),
            what: "pod of kube.run_pod".into(),
        })
    }

    fn rehearse(&self, fleet: &dyn ObservingFleet, _: &Image) -> Result<Option<String>, Failure> {
        let text = self.manifest.to_string().replace(Unknown::MARK, "planned");
        let manifest = serde_json::from_str(&text).unwrap_or_else(|_| self.manifest.clone());
        // Its defaults are not told: every object has many, and some are made up anew each time.
        let proposal = Proposal::Create(&manifest);
        rehearse(&*fleet.cluster_observer()?, &self.object, &proposal, None)
    }
}
