//! `kube.patch`, `kube.label`, `kube.annotate`: fields of an object as they shall be.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::verdict::rehearse;
use super::{arguments_of, failed, names_secret, object_in, observe_object, state_of};
use crate::model::{Image, ObjectRef, Subject, Value};
use crate::operation::{Change, Failure};
use crate::transport::{
    ActingFleet, Cancel, ClusterActor, ObservingFleet, PatchKind, Proposal, TransportError, agrees,
    covers, merged,
};

/// How often a patch is tried again because something that does not concern it changed: a kubelet writes its node's
/// and its pods' status every few seconds.
const TRIES: usize = 8;

/// The word that a patch was asked for with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Patch,
    Label,
    Annotate,
    Scale(i64),
}

/// Patches an object. Already there is what the patch asks for when every field that it names is so; what the server
/// fills in beside does not matter.
#[derive(Clone, Debug)]
pub struct PatchObject {
    object: ObjectRef,
    word: Word,
    kind: PatchKind,
    patch: Json,
}

impl PatchObject {
    /// `kube.patch`: refuses a patch that is no map, is empty, or names what a patch cannot change.
    pub fn new(object: ObjectRef, kind: PatchKind, patch: Json) -> Result<Self, Failure> {
        let misuse = |why: &str| Err(Failure::Misuse(format!("kube.patch of {object}: {why}")));
        let Json::Object(fields) = &patch else {
            return misuse("a patch is a map of the fields to change");
        };
        if fields.is_empty() {
            return misuse("the patch is empty");
        }
        if fields.contains_key("status") {
            return misuse("`status` is written by controllers; a patch does not reach it");
        }
        for (found, wanted) in [("apiVersion", &object.api_version), ("kind", &object.kind)] {
            if fields.get(found).is_some_and(|found| found != wanted) {
                return misuse(&format!("it cannot change `{found}`"));
            }
        }
        let fixed = [
            "name",
            "namespace",
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "managedFields",
        ];
        if let Some(field) = fixed
            .iter()
            .find(|field| !patch["metadata"][**field].is_null())
        {
            return misuse(&format!("it cannot change `metadata.{field}`"));
        }
        Ok(Self {
            object,
            word: Word::Patch,
            kind,
            patch,
        })
    }

    /// `kube.label`: sets labels; one without value is removed. Refuses what no label can be.
    pub fn label(
        object: ObjectRef,
        labels: &BTreeMap<String, Option<String>>,
    ) -> Result<Self, Failure> {
        for (key, value) in labels {
            check_key("label", key)?;
            check_label_value(key, value.as_deref().unwrap_or_default())?;
        }
        Self::metadata(object, Word::Label, "labels", labels)
    }

    /// `kube.annotate`: sets annotations; one without value is removed. Refuses what no annotation can be.
    pub fn annotate(
        object: ObjectRef,
        annotations: &BTreeMap<String, Option<String>>,
    ) -> Result<Self, Failure> {
        for key in annotations.keys() {
            check_key("annotation", key)?;
        }
        Self::metadata(object, Word::Annotate, "annotations", annotations)
    }

    /// `kube.scale`: that many replicas.
    pub fn scale(object: ObjectRef, replicas: i64) -> Result<Self, Failure> {
        if replicas < 0 {
            return Err(Failure::Misuse(format!(
                "{object} cannot have {replicas} replicas"
            )));
        }
        let patch = json!({"spec": {"replicas": replicas}});
        Ok(Self {
            word: Word::Scale(replicas),
            ..Self::new(object, PatchKind::Merge, patch)?
        })
    }

    fn metadata(
        object: ObjectRef,
        word: Word,
        field: &str,
        entries: &BTreeMap<String, Option<String>>,
    ) -> Result<Self, Failure> {
        if entries.is_empty() {
            return Err(Failure::Misuse(format!("{object}: no {field} are given")));
        }
        let patch = json!({"metadata": {field: entries}});
        Ok(Self {
            object,
            word,
            kind: PatchKind::Merge,
            patch,
        })
    }

    /// One try: reads, makes sure that nothing which the patch changes has changed, and patches exactly that version.
    fn try_once(
        &self,
        actor: &dyn ClusterActor,
        before: &Json,
        after: &Json,
    ) -> Result<Result<(), TransportError>, Failure> {
        let now = actor.get(&self.object)?.ok_or_else(|| self.absent())?;
        let version = now["metadata"]["resourceVersion"]
            .as_str()
            .map(str::to_owned);
        let now = state_of(now);
        if covers(self.kind, &now, &self.patch) {
            return Ok(Ok(()));
        }
        if !agrees(Some(&now), Some(before), Some(after)) {
            return Err(TransportError::Changed {
                target: crate::model::Target::Cluster,
                what: self.object.to_string(),
            }
            .into());
        }
        let answer = actor.patch(&self.object, self.kind, &self.patch, version.as_deref());
        Ok(answer.map(drop))
    }

    fn absent(&self) -> Failure {
        Failure::Failed(
            failed(format!(
                "{} is not there: there is nothing to patch",
                self.object
            ))
            .hint("ask with kube.get() first, where it may be missing"),
        )
    }
}

impl Change for PatchObject {
    fn kind(&self) -> &str {
        match self.word {
            Word::Patch => "kube.patch",
            Word::Label => "kube.label",
            Word::Annotate => "kube.annotate",
            Word::Scale(_) => "kube.scale",
        }
    }

    fn arguments(&self) -> Value {
        let kind = match self.kind {
            PatchKind::Merge => "merge",
            PatchKind::Strategic => "strategic",
        };
        let mut entries = arguments_of(&self.object);
        entries.push(("type", kind.into()));
        entries.push(("patch", self.patch.clone().into()));
        Value::from_entries(entries)
    }

    fn summary(&self) -> String {
        let members = |field: &str| match &self.patch["metadata"][field] {
            Json::Object(entries) => entries.iter().map(member).collect::<Vec<_>>().join(" "),
            _ => String::new(),
        };
        match self.word {
            Word::Patch => format!("patch {}", self.object),
            Word::Label => format!("label {} {}", self.object, members("labels")),
            Word::Annotate => format!("annotate {} {}", self.object, members("annotations")),
            Word::Scale(replicas) => format!("scale {} to {replicas}", self.object),
        }
    }

    fn subject(&self) -> Subject {
        Subject::Object(self.object.clone())
    }

    fn observe(&self, fleet: &dyn ObservingFleet, _: &Cancel) -> Result<Image, Failure> {
        observe_object(&*fleet.cluster_observer()?, &self.object)
    }

    fn wanted(&self, before: &Image) -> Result<Image, Failure> {
        let before = object_in(before, &self.object)?.ok_or_else(|| self.absent())?;
        let after = match covers(self.kind, before, &self.patch) {
            true => before.clone(),
            false => state_of(merged(self.kind, before, &self.patch)),
        };
        Ok(Image::Object(Some(after)))
    }

    fn apply(
        &self,
        fleet: &dyn ActingFleet,
        before: &Image,
        after: &Image,
        _: &Cancel,
    ) -> Result<(), Failure> {
        let actor = fleet.cluster_actor()?;
        let none = Json::Object(Map::new());
        let before = object_in(before, &self.object)?.unwrap_or(&none);
        let after = object_in(after, &self.object)?.unwrap_or(&none);
        let mut tries = 1;
        loop {
            match self.try_once(&*actor, before, after)? {
                Ok(()) => return Ok(()),
                Err(TransportError::Changed { .. }) if tries < TRIES => tries += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn rehearse(
        &self,
        fleet: &dyn ObservingFleet,
        after: &Image,
    ) -> Result<Option<String>, Failure> {
        let proposal = Proposal::Patch {
            object: &self.object,
            kind: self.kind,
            patch: &self.patch,
        };
        let after = object_in(after, &self.object)?;
        rehearse(&*fleet.cluster_observer()?, &self.object, &proposal, after)
    }

    fn reversible(&self) -> Result<(), String> {
        let contents = ["data", "stringData"].map(|field| &self.patch[field]);
        match names_secret(&self.object) && contents.iter().any(|field| !field.is_null()) {
            true => Err(format!(
                "what {} held before is not kept in the journal",
                self.object
            )),
            false => Ok(()),
        }
    }

    fn reached(&self, _: &Image, now: &Image) -> bool {
        matches!(now, Image::Object(Some(now)) if covers(self.kind, now, &self.patch))
    }
}

fn member((key, value): (&String, &Json)) -> String {
    match value.as_str() {
        Some(value) => format!("{key}={value}"),
        None => format!("{key}-"),
    }
}

/// Keys of labels and annotations: an optional DNS name as prefix, then a name of at most 63 characters (Kubernetes
/// documentation, "Labels and Selectors: Syntax and character set").
fn check_key(what: &str, key: &str) -> Result<(), Failure> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    let prefix_fits = prefix.is_none_or(|prefix| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
        !prefix.is_empty() && prefix.len() <= 253 && prefix.chars().all(plain)
    });
    match prefix_fits && !name.is_empty() && is_label_text(name) {
        true => Ok(()),
        false => Err(Failure::Misuse(format!(
            "{key:?} cannot be the key of a {what}"
        ))),
    }
}

fn check_label_value(key: &str, value: &str) -> Result<(), Failure> {
    match is_label_text(value) {
        true => Ok(()),
        false => Err(Failure::Misuse(format!(
            "{value:?} cannot be the value of the label {key}: at most 63 letters, digits, `-`, `_` and `.`, with a \
             letter or digit at both ends"
        ))),
    }
}

fn is_label_text(text: &str) -> bool {
    let end = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    text.len() <= 63
        && text.chars().all(plain)
        && end(text.chars().next())
        && end(text.chars().last())
}
