//! Maps that know what was changed in them, so that storing a change does not cost as much as storing the world.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A map by names that notes which of its entries may have changed since [`Tracked::take`].
#[derive(Clone, Debug)]
pub struct Tracked<V> {
    entries: BTreeMap<String, V>,
    touched: BTreeSet<String>,
}

impl<V> Tracked<V> {
    /// An entry to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut V> {
        let entry = self.entries.get_mut(name)?;
        touch(&mut self.touched, name);
        Some(entry)
    }

    /// An entry to be changed, which is made where it is missing.
    pub fn slot(&mut self, name: &str) -> &mut V
    where
        V: Default,
    {
        touch(&mut self.touched, name);
        self.entries.entry(name.to_owned()).or_default()
    }

    /// Puts an entry; gives the one before it.
    pub fn insert(&mut self, name: String, entry: V) -> Option<V> {
        touch(&mut self.touched, &name);
        self.entries.insert(name, entry)
    }

    /// Removes an entry.
    pub fn remove(&mut self, name: &str) -> Option<V> {
        let entry = self.entries.remove(name)?;
        touch(&mut self.touched, name);
        Some(entry)
    }

    /// All entries, to be changed: costs as much as there are.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.touched.extend(self.entries.keys().cloned());
        self.entries.values_mut()
    }

    /// Whether anything may have changed.
    pub fn is_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    /// Forgets what has changed.
    pub fn settle(&mut self) {
        self.touched.clear();
    }

    /// What has changed: the entries as they are now; the names of those that are no more go into `gone`. That is
    /// forgotten.
    pub fn take(&mut self, gone: &mut Vec<String>) -> Self
    where
        V: Clone,
    {
        let mut entries = BTreeMap::new();
        for name in std::mem::take(&mut self.touched) {
            match self.entries.get(&name) {
                Some(entry) => {
                    entries.insert(name, entry.clone());
                }
                None => gone.push(name),
            }
        }
        Self::from(entries)
    }

    /// Takes over what [`Tracked::take`] gave elsewhere; nothing of it counts as changed here.
    pub fn apply(&mut self, changed: Self, gone: Vec<String>) {
        self.entries.extend(changed.entries);
        for name in gone {
            self.entries.remove(&name);
        }
    }
}

fn touch(touched: &mut BTreeSet<String>, name: &str) {
    if !touched.contains(name) {
        touched.insert(name.to_owned());
    }
}

impl<V> From<BTreeMap<String, V>> for Tracked<V> {
    fn from(entries: BTreeMap<String, V>) -> Self {
        Self {
            entries,
            touched: BTreeSet::new(),
        }
    }
}

impl<V> Default for Tracked<V> {
    fn default() -> Self {
        BTreeMap::new().into()
    }
}

impl<V> Deref for Tracked<V> {
    type Target = BTreeMap<String, V>;

    fn deref(&self) -> &Self::Target {
        &self.entries
    }
}

impl<'a, V> IntoIterator for &'a Tracked<V> {
    type Item = (&'a String, &'a V);
    type IntoIter = std::collections::btree_map::Iter<'a, String, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter()
    }
}

/// Two are the same if they hold the same.
impl<V: PartialEq> PartialEq for Tracked<V> {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl<V: Eq> Eq for Tracked<V> {}

impl<V: Serialize> Serialize for Tracked<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.entries.serialize(serializer)
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Tracked<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(Self::from)
    }
}
