//! Before- and after-images: what a change found and what it left, enough to put it back.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{TargetPath, Value};

/// What a change changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A file on the target.
    File(TargetPath),
    /// An object of the cluster's API.
    Object(ObjectRef),
    /// Something that the script itself observes and applies (`change(#{…})`), by its description.
    Scripted(String),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.fmt(f),
            Self::Object(object) => object.fmt(f),
            Self::Scripted(what) => f.write_str(what),
        }
    }
}

/// The name of an object of the Kubernetes API.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    /// API version, such as `v1` or `apps/v1`.
    pub api_version: String,
    /// Kind, such as `Pod`.
    pub kind: String,
    /// Namespace; none for a cluster-wide object.
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind.to_lowercase(), self.name),
            None => write!(f, "{} {}", self.kind.to_lowercase(), self.name),
        }
    }
}

/// A state that can be compared, shown as a diff, and restored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Image {
    /// A file: content and metadata, or its absence.
    File(FileState),
    /// An API object as JSON, or its absence.
    Object(Option<serde_json::Value>),
    /// A value that the script observed.
    Value(Value),
}

impl Image {
    /// A hash of the whole state: equal states have equal hashes.
    pub fn fingerprint(&self) -> String {
        let bytes = serde_json::to_vec(self).expect("an image always has a JSON form");
        blake3::hash(&bytes).to_hex()[..32].to_owned()
    }

    /// Whether the state `now` is what this one asks for: equal, but for the SELinux context of a file for which this
    /// one names none (a new file gets it from the target's policy).
    pub fn is_met_by(&self, now: &Self) -> bool {
        match (self, now) {
            (Self::File(FileState::Present(wanted)), Self::File(FileState::Present(now))) => {
                let labelled = wanted.selinux.is_none() || wanted.selinux == now.selinux;
                labelled
                    && wanted.content == now.content
                    && (wanted.mode, wanted.uid, wanted.gid) == (now.mode, now.uid, now.gid)
            }
            _ => self == now,
        }
    }
}

/// A file as it is: there or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// Nothing is at the path.
    Absent,
    /// A regular file (symbolic links followed).
    Present(FileImage),
}

impl FileState {
    /// The content, if the file is there.
    pub fn content(&self) -> Option<&[u8]> {
        match self {
            Self::Absent => None,
            Self::Present(image) => Some(&image.content),
        }
    }
}

/// Content and metadata of a regular file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileImage {
    /// The bytes. Stored as text where they are UTF-8, else in base64.
    #[serde(with = "content")]
    pub content: Vec<u8>,
    /// Permission bits (octal 7777).
    pub mode: u32,
    /// Owner, as a number.
    pub uid: u32,
    /// Group, as a number.
    pub gid: u32,
    /// SELinux context, where the target has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selinux: Option<String>,
}

mod content {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Stored {
        Text(String),
        Base64(String),
    }

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Stored::Text(text.to_owned()),
            Err(_) => Stored::Base64(STANDARD.encode(bytes)),
        }
        .serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        match Stored::deserialize(deserializer)? {
            Stored::Text(text) => Ok(text.into_bytes()),
            Stored::Base64(text) => STANDARD.decode(text).map_err(D::Error::custom),
        }
    }
}
