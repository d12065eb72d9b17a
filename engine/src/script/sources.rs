//! The texts of a runbook: the script and every module that it imports, standard library included. A run pins
//! them, so that a resume reads what was started and not what stands on disk by then.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::model::SourcePosition;

/// The modules of the standard library, embedded.
const STANDARD_LIBRARY: &[(&str, &str)] = &[
    ("std/files", include_str!("../../../stdlib/files.rhai")),
    ("std/flannel", include_str!("../../../stdlib/flannel.rhai")),
    ("std/k3s", include_str!("../../../stdlib/k3s.rhai")),
    (
        "std/kubernetes",
        include_str!("../../../stdlib/kubernetes.rhai"),
    ),
    ("std/mtu", include_str!("../../../stdlib/mtu.rhai")),
    ("std/measure", include_str!("../../../stdlib/measure.rhai")),
    ("std/net", include_str!("../../../stdlib/net.rhai")),
    ("std/systemd", include_str!("../../../stdlib/systemd.rhai")),
    ("std/table", include_str!("../../../stdlib/table.rhai")),
    (
        "std/tailscale",
        include_str!("../../../stdlib/tailscale.rhai"),
    ),
    ("std/tls", include_str!("../../../stdlib/tls.rhai")),
];

/// The runbooks that are shipped in the binary, by name.
const SHIPPED: &[(&str, &str)] = &[
    (
        "tailscale-mtu.rhai",
        include_str!("../../../runbooks/tailscale-mtu.rhai"),
    ),
    (
        "diagnose-mtu.rhai",
        include_str!("../../../runbooks/diagnose-mtu.rhai"),
    ),
    (
        "fix-flannel-iface.rhai",
        include_str!("../../../runbooks/fix-flannel-iface.rhai"),
    ),
    (
        "update-cni0.rhai",
        include_str!("../../../runbooks/update-cni0.rhai"),
    ),
    (
        "bounce-tailscale-proxies.rhai",
        include_str!("../../../runbooks/bounce-tailscale-proxies.rhai"),
    ),
    (
        "verify-mtu.rhai",
        include_str!("../../../runbooks/verify-mtu.rhai"),
    ),
    (
        "flannel-over-tailscale.rhai",
        include_str!("../../../runbooks/flannel-over-tailscale.rhai"),
    ),
    (
        "tls-cipher-check.rhai",
        include_str!("../../../runbooks/tls-cipher-check.rhai"),
    ),
];

/// The largest script or module, in bytes: 1 MiB.
const TEXT_LIMIT: u64 = 1 << 20;

/// Why a text could not be loaded.
#[derive(Clone, Debug)]
pub struct LoadError {
    /// What is wrong.
    pub message: String,
    /// The import that asked for it.
    pub position: Option<SourcePosition>,
    /// The text in which it stands.
    pub text: Option<String>,
    /// What to do.
    pub help: Option<String>,
}

/// The texts of one runbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSet {
    /// The script's name as the user gave it.
    pub main: String,
    texts: BTreeMap<String, String>,
}

impl SourceSet {
    /// Loads a script by path, or a shipped one by name, with all its modules.
    pub fn load(file_or_name: &str) -> Result<Self, LoadError> {
        let path = Path::new(file_or_name);
        if path.exists() {
            let text = read(path).map_err(|message| LoadError {
                message,
                position: None,
                text: None,
                help: None,
            })?;
            return Self::assemble(file_or_name, text, path.parent().map(Path::to_path_buf));
        }
        match shipped(file_or_name) {
            Some((name, text)) => Self::assemble(name, text.to_owned(), None),
            None => Err(not_found(file_or_name)),
        }
    }

    /// The pinned texts of a run.
    pub fn pinned(main: String, texts: BTreeMap<String, String>) -> Self {
        Self { main, texts }
    }

    /// The names of the shipped runbooks.
    pub fn shipped_names() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, _)| *name)
    }

    /// The names and texts of the standard library's modules.
    pub fn standard_library() -> &'static [(&'static str, &'static str)] {
        STANDARD_LIBRARY
    }

    fn assemble(main: &str, text: String, folder: Option<PathBuf>) -> Result<Self, LoadError> {
        let mut set = Self {
            main: main.to_owned(),
            texts: BTreeMap::new(),
        };
        let folder = folder.map(|folder| {
            if folder.as_os_str().is_empty() {
                PathBuf::from(".")
            } else {
                folder
            }
        });
        set.add(main, text, folder.as_deref(), &mut vec![main.to_owned()])?;
        Ok(set)
    }

    fn add(
        &mut self,
        name: &str,
        text: String,
        folder: Option<&Path>,
        chain: &mut Vec<String>,
    ) -> Result<(), LoadError> {
        // A text that does not parse is kept as it is: the check shows what is wrong with it.
        let imports = super::check::imports_of(name, &text);
        self.texts.insert(name.to_owned(), text.clone());
        for (import, mut position) in imports {
            position.file = self.path_of(name);
            let fail = |message: String, help: Option<String>| LoadError {
                message,
                position: Some(position.clone()),
                text: Some(text.clone()),
                help,
            };
            if chain.contains(&import) {
                let cycle = chain
                    .iter()
                    .chain([&import])
                    .cloned()
                    .collect::<Vec<_>>()
                    .join(" → ");
                return Err(fail(
                    format!("modules import each other in a circle: {cycle}"),
                    Some("move what both need into a third module".into()),
                ));
            }
            if self.texts.contains_key(&import) {
                continue;
            }
            let text =
                module_text(&import, folder).map_err(|(message, help)| fail(message, help))?;
            chain.push(import.clone());
            self.add(&import, text, folder, chain)?;
            chain.pop();
        }
        Ok(())
    }

    /// The text of the script or of a module.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// Where a reader finds the text: the script as the user named it, modules beside it, the standard library's
    /// under their own names.
    pub fn path_of(&self, name: &str) -> String {
        if name == self.main {
            return name.to_owned();
        }
        let file = format!("{name}.rhai");
        match Path::new(&self.main).parent() {
            Some(folder) if !name.starts_with("std/") => folder.join(file).display().to_string(),
            _ => file,
        }
    }

    /// The text of the script.
    pub fn main_text(&self) -> &str {
        self.text(&self.main).unwrap_or_default()
    }

    /// All names and texts, the script first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let main = std::iter::once((self.main.as_str(), self.main_text()));
        main.chain(
            self.texts
                .iter()
                .filter(|(name, _)| **name != self.main)
                .map(|(name, text)| (name.as_str(), text.as_str())),
        )
    }
}

fn module_text(import: &str, folder: Option<&Path>) -> Result<String, (String, Option<String>)> {
    if let Some((_, text)) = STANDARD_LIBRARY.iter().find(|(name, _)| *name == import) {
        return Ok((*text).to_owned());
    }
    if import.starts_with("std/") {
        let near =
            crate::text::suggest::closest(import, STANDARD_LIBRARY.iter().map(|(name, _)| *name));
        let help = near.map(|near| format!("did you mean \"{near}\"?"));
        return Err((
            format!("the standard library has no module \"{import}\""),
            help,
        ));
    }
    let confined = import
        .split('/')
        .all(|part| !part.is_empty() && part != ".." && part != ".");
    if !confined || import.contains('\\') {
        return Err((
            format!("\"{import}\" is not the name of a module"),
            Some("modules stand beside the runbook or in folders below it: import \"lib/name\" as name;".into()),
        ));
    }
    let Some(folder) = folder else {
        return Err((
            format!("there is no module \"{import}\": a shipped runbook imports only std/*"),
            None,
        ));
    };
    let path = folder.join(format!("{import}.rhai"));
    if !path.exists() {
        return Err((
            format!("there is no module \"{import}\""),
            Some(format!("looked for {}", path.display())),
        ));
    }
    read(&path).map_err(|message| (message, None))
}

fn read(path: &Path) -> Result<String, String> {
    let metadata =
        std::fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
    if !metadata.is_file() {
        return Err(format!("{} is not a file", path.display()));
    }
    if metadata.len() > TEXT_LIMIT {
        return Err(format!(
            "{} is larger than {} KiB; is it a runbook?",
            path.display(),
            TEXT_LIMIT >> 10
        ));
    }
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    String::from_utf8(bytes).map_err(|error| {
        format!(
            "{} is not UTF-8 text (at byte {})",
            path.display(),
            error.utf8_error().valid_up_to()
        )
    })
}

fn shipped(name: &str) -> Option<(&'static str, &'static str)> {
    SHIPPED
        .iter()
        .find(|(known, _)| *known == name || known.strip_suffix(".rhai") == Some(name))
        .copied()
}

/// The runbooks in the folder of a path, named as the path is.
fn beside(path: &Path) -> Vec<String> {
    let named = path.parent().unwrap_or(Path::new(""));
    let folder = if named.as_os_str().is_empty() {
        Path::new(".")
    } else {
        named
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| named.join(entry.file_name()).display().to_string());
    names.filter(|name| name.ends_with(".rhai")).collect()
}

fn not_found(name: &str) -> LoadError {
    let beside = beside(Path::new(name));
    let mut known: Vec<&str> = SourceSet::shipped_names().collect();
    known.extend(beside.iter().map(String::as_str));
    let near = crate::text::suggest::closest(name, known);
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!(
            "shipped runbooks: {}",
            SourceSet::shipped_names().collect::<Vec<_>>().join(", ")
        ),
    };
    LoadError {
        message: format!("there is no file and no shipped runbook `{name}`"),
        position: None,
        text: None,
        help: Some(help),
    }
}
