//! Where a run happens: the inventory or a lab, its hosts, and the connections to them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::context::RunContext;
use super::fleet::{RealActing, RealObserving};
use super::problem::Problem;
use crate::inventory::{Inventory, LimitError};
use crate::lab::{Lab, LabAccess, LabFleet};
use crate::model::{HostName, SourcePosition};
use crate::report::Diagnostic;
use crate::script::Names;
use crate::transport::{ActingFleet, ObservingFleet, Route};

/// How many connections at once if nobody says.
pub const PARALLEL: usize = 20;

/// What a user says about where a run happens; a resumed run says it again from its journal.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The lab's name or file.
    pub lab: Option<String>,
    /// The inventory: its path and, for a resumed run, its pinned text.
    pub inventory: Option<(PathBuf, Option<String>)>,
    /// `-l`.
    pub limit: Option<String>,
    /// Kubernetes context.
    pub context: Option<String>,
    /// Kubeconfig file.
    pub kubeconfig: Option<PathBuf>,
    /// Bound on connections.
    pub parallel: usize,
}

/// Where a run happens, known but not yet touched.
pub struct Ground {
    place: Place,
    /// The hosts.
    pub inventory: Arc<Inventory>,
    /// Those that `-l` left.
    pub hosts: Vec<HostName>,
    /// The inventory's text, for the journal.
    pub text: Option<String>,
    labs: PathBuf,
}

impl Ground {
    /// Reads inventory or lab. `labs` is where labs keep their state.
    pub fn survey(place: Place, labs: PathBuf) -> Result<Self, Problem> {
        let (inventory, text) = match (&place.lab, &place.inventory) {
            (Some(_), Some(_)) => {
                return Err(Problem::usage(
                    Diagnostic::error("a lab brings its own inventory")
                        .help("leave out -i or --lab"),
                ));
            }
            (Some(lab), None) => (lab_inventory(lab, &labs)?, None),
            (None, Some((path, pinned))) => {
                let (inventory, text) = file_inventory(path, pinned.as_deref())?;
                (inventory, Some(text))
            }
            (None, None) => (Inventory::local(), None),
        };
        let hosts = match &place.limit {
            None => inventory.hosts().cloned().collect(),
            Some(pattern) => inventory
                .limit(pattern)
                .map_err(|error| limit_problem(&error, &inventory))?,
        };
        Ok(Self {
            place,
            inventory: Arc::new(inventory),
            hosts,
            text,
            labs,
        })
    }

    /// The names that a script may use here.
    pub fn names(&self) -> Names {
        Names {
            hosts: Some(self.inventory.hosts().map(ToString::to_string).collect()),
            groups: Some(self.inventory.group_names()),
        }
    }

    /// In words.
    pub fn title(&self) -> String {
        match (&self.place.lab, &self.place.inventory) {
            (Some(lab), _) => format!("lab {lab}"),
            (None, Some((path, _))) => path.display().to_string(),
            (None, None) => "the local host".into(),
        }
    }

    /// What two runs must not work on at the same time (M8).
    pub fn scope(&self) -> String {
        match (&self.place.lab, &self.place.inventory) {
            (Some(lab), _) => format!("lab {lab}"),
            (None, Some((path, _))) => {
                format!(
                    "inventory {}",
                    path.canonicalize()
                        .unwrap_or_else(|_| path.clone())
                        .display()
                )
            }
            (None, None) => "the local host".into(),
        }
    }

    /// Connections that can only look.
    pub fn observing(
        &self,
        runtime: &tokio::runtime::Runtime,
        context: RunContext,
    ) -> Result<Arc<dyn ObservingFleet>, Problem> {
        match &self.place.lab {
            Some(lab) => {
                let lab = open_lab(lab, &self.labs, LabAccess::ReadOnly)?;
                let hook = cluster_hook(&lab, runtime);
                Ok(Arc::new(LabFleet::observing(lab, hook)))
            }
            None => Ok(Arc::new(RealObserving::new(
                self.inventory.access(),
                self.cluster(),
                self.parallel(),
                runtime,
                context,
            ))),
        }
    }

    /// Connections that can also change things.
    pub fn acting(
        &self,
        runtime: &tokio::runtime::Runtime,
        context: RunContext,
    ) -> Result<Arc<dyn ActingFleet>, Problem> {
        match &self.place.lab {
            Some(lab) => {
                let lab = open_lab(lab, &self.labs, LabAccess::ReadWrite)?;
                let hook = cluster_hook(&lab, runtime);
                let fleet = LabFleet::acting(lab, hook)
                    .map_err(|error| Problem::failed(Diagnostic::error(error.to_string())))?;
                Ok(Arc::new(fleet))
            }
            None => Ok(Arc::new(RealActing::new(
                self.inventory.access(),
                self.cluster(),
                self.parallel(),
                runtime,
                context,
            ))),
        }
    }

    /// Bound on connections and branches.
    pub fn parallel(&self) -> usize {
        if self.place.parallel == 0 {
            PARALLEL
        } else {
            self.place.parallel
        }
    }

    /// How the cluster is reached.
    pub fn cluster(&self) -> super::fleet::ClusterAccess {
        let inventory = self.inventory.kube();
        super::fleet::ClusterAccess {
            kubeconfig: self
                .place
                .kubeconfig
                .clone()
                .or_else(|| inventory.and_then(|kube| kube.kubeconfig.clone())),
            context: self
                .place
                .context
                .clone()
                .or_else(|| inventory.and_then(|kube| kube.context.clone())),
            helper_image: std::env::var("RUNBOOK_DEBUG_IMAGE")
                .ok()
                .filter(|image| !image.is_empty())
                .or_else(|| inventory.and_then(|kube| kube.helper_image.clone())),
            namespace: inventory.and_then(|kube| kube.helper_namespace.clone()),
        }
    }

    /// The ways to the hosts that `-l` left.
    pub fn routes(&self) -> Vec<Route> {
        self.hosts
            .iter()
            .filter_map(|host| self.route(host))
            .collect()
    }

    /// The way to a host.
    pub fn route(&self, host: &HostName) -> Option<Route> {
        self.inventory.route(host).cloned()
    }

    /// What the user said.
    pub fn place(&self) -> &Place {
        &self.place
    }
}

/// The lab's API behind the real client, in process.
fn cluster_hook(
    lab: &Arc<Lab>,
    runtime: &tokio::runtime::Runtime,
) -> crate::lab::fleet::ClusterHook {
    let handle = runtime.handle().clone();
    let clock = Arc::new(crate::lab::fleet::LabClock::new(lab.clone()));
    Arc::new(move |backend| {
        let client = crate::lab::api::client(backend, &handle);
        let cluster = crate::transport::kube::KubeCluster::new(client, handle.clone());
        let clock = clock.clone();
        Ok(Arc::new(
            cluster.with(move |reader| reader.with_clock(clock)),
        ))
    })
}

/// Opens a lab.
pub fn open_lab(name: &str, labs: &Path, access: LabAccess) -> Result<Arc<Lab>, Problem> {
    Lab::open(name, labs, access)
        .map_err(|error| Problem::usage(Diagnostic::error(error.to_string())))
}

fn lab_inventory(name: &str, labs: &Path) -> Result<Inventory, Problem> {
    let lab = open_lab(name, labs, LabAccess::ReadOnly)?;
    let hosts = lab
        .host_variables()
        .map_err(|error| Problem::usage(Diagnostic::error(error.to_string())))?;
    let inventory = Inventory::of_lab(hosts.keys().map(String::as_str));
    Ok(inventory.with_variables(hosts))
}

fn limit_problem(error: &LimitError, inventory: &Inventory) -> Problem {
    const SHOWN: usize = 12;
    let names: Vec<String> = inventory.hosts().map(ToString::to_string).collect();
    let more = names.len().saturating_sub(SHOWN);
    let mut list = names[..names.len() - more].join(", ");
    if more > 0 {
        list.push_str(&format!(" and {more} more"));
    }
    Problem::usage(Diagnostic::error(format!("--limit: {error}")).help(format!("hosts: {list}")))
}

fn file_inventory(path: &Path, pinned: Option<&str>) -> Result<(Inventory, String), Problem> {
    let name = path.display().to_string();
    let text = match pinned {
        Some(text) => text.to_owned(),
        None => std::fs::read_to_string(path).map_err(|error| {
            Problem::usage(
                Diagnostic::error(format!("the inventory {name} cannot be read: {error}"))
                    .help("without -i the runbook acts on this host alone, as `localhost`"),
            )
        })?,
    };
    match Inventory::parse(&name, &text) {
        Ok(inventory) => Ok((inventory, text)),
        Err(error) => {
            let mut diagnostic = Diagnostic::error(error.message.clone()).code("inventory");
            if let Some((line, column)) = error.place {
                let position = SourcePosition {
                    file: name,
                    line,
                    column,
                };
                diagnostic = diagnostic.at(position, Some(text), error.length);
            }
            if let Some(help) = error.help {
                diagnostic = diagnostic.help(help);
            }
            Err(Problem::usage(diagnostic))
        }
    }
}
