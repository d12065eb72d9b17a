//! What a host is in its cluster: its role, its kubelet, its part of the pod network, the API's objects.

use rhai::{Array, Dynamic, Engine, Map};

use super::convert::{to_dynamic, to_json};
use super::{LabHost, Said};
use crate::lab::cluster;
use crate::lab::definition::Role;
use crate::lab::world::{Backend, Host, Place, Vtep, World};

/// Makes the words known.
pub fn register(engine: &mut Engine) {
    engine.register_get("role", |host: &mut LabHost| {
        host.as_host(|host| match host.role {
            Role::Server => "server".into(),
            Role::Agent => "agent".into(),
            Role::Plain => Dynamic::UNIT,
        })
    });
    engine.register_get("pod_subnet", |host: &mut LabHost| {
        host.as_host(|host| text_or_nothing(&host.pod_subnet))
    });
    engine.register_get("pod_subnet_v6", |host: &mut LabHost| {
        host.as_host(|host| text_or_nothing(&host.pod_subnet_v6))
    });
    engine.register_get("boot_id", |host: &mut LabHost| {
        host.as_host(|host| host.boot_id.clone().into())
    });
    // Why the cluster's API does not answer; () while it does.
    engine.register_get("api_down", |host: &mut LabHost| {
        host.with(|world| Ok(world.api_down().map_or(Dynamic::UNIT, Dynamic::from)))
    });
    engine.register_get("images", |host: &mut LabHost| {
        host.with(|world| {
            let images = world.images.keys().cloned();
            Ok(images.map(Dynamic::from).collect::<Array>())
        })
    });
    objects(engine);
    engine.register_fn("kubelet_comes", |host: &mut LabHost| {
        host.change(|world| {
            cluster::kubelet_comes(world, host.name());
            Ok(())
        })
    });
    engine.register_fn("kubelet_goes", |host: &mut LabHost| {
        host.change(|world| {
            cluster::kubelet_goes(world, host.name());
            Ok(())
        })
    });
    // Where the packets of the pod network leave the node, and how they are packed.
    engine.register_fn("set_overlay", |host: &mut LabHost, overlay: Map| {
        let overlay = overlay_of(&overlay)?;
        host.change(|world| {
            host_of(world, host)?.vtep = Some(overlay);
            Ok(())
        })
    });
}

fn objects(engine: &mut Engine) {
    engine.register_fn("object", |host: &mut LabHost, kind: &str, name: &str| {
        host.with(|world| {
            let object = world.objects.get(&cluster::key(kind, None, name));
            Ok(object.map_or(Dynamic::UNIT, to_dynamic))
        })
    });
    engine.register_fn("put", |host: &mut LabHost, object: Map| {
        let object = to_json(&Dynamic::from_map(object))?;
        host.change(|world| cluster::new_object(world, object))
    });
}

impl LabHost {
    /// What is known of a host; () of a pod.
    fn as_host(&self, look: impl FnOnce(&Host) -> Dynamic) -> Said<Dynamic> {
        self.with(|world| {
            Ok(match &self.place {
                Place::Host(name) => world.hosts.get(name).map_or(Dynamic::UNIT, look),
                Place::Pod(_) => Dynamic::UNIT,
            })
        })
    }
}

fn host_of<'a>(world: &'a mut World, host: &LabHost) -> Result<&'a mut Host, String> {
    let host_state = world.hosts.get_mut(host.name());
    host_state.ok_or_else(|| format!("{} is no host of the lab", host.name()))
}

fn text_or_nothing(text: &str) -> Dynamic {
    match text {
        "" => Dynamic::UNIT,
        text => text.to_owned().into(),
    }
}

/// `#{ device, address, address_v6, backend }`.
fn overlay_of(overlay: &Map) -> Result<Vtep, String> {
    let text = |key: &str| {
        let value = overlay.get(key).filter(|value| !value.is_unit());
        value.map(ToString::to_string)
    };
    let needed = |key: &str| text(key).ok_or_else(|| format!("an overlay needs `{key}`"));
    let backend = needed("backend")?;
    Ok(Vtep {
        device: needed("device")?,
        address: needed("address")?,
        address_v6: text("address_v6"),
        backend: Backend::parse(&backend).ok_or_else(|| {
            format!(
                "the lab knows no flannel-backend {backend:?}: vxlan, wireguard-native, host-gw"
            )
        })?,
    })
}
