//! The simulated hosts.

use std::sync::OnceLock;

use runbook::lab::world::{Place, World};

/// The hosts of the simulated lab.
pub const HOSTS: [&str; 4] = ["h1", "h2", "h3", "h4"];

/// The description of the lab: four hosts without anything on them but a place for traces.
pub fn lab_text() -> String {
    let mut text = String::from(
        "{\"title\": \"four bare hosts\", \"description\": \"\", \"starts\": \"2026-03-02T03:00:00Z\", \"hosts\": {",
    );
    let hosts = HOSTS.iter().enumerate().map(|(nth, name)| {
            format!(
                "\"{name}\": {{\
                 \"interfaces\": [{{\"name\": \"eth0\", \"kind\": \"ethernet\", \"mtu\": 1500, \"addresses\": [\"192.168.1.{}/24\"]}}],\
                 \"files\": {{\"/var/lib/sim/ready\": {{\"content\": \"\"}}, \"/etc/sim/common\": {{\"content\": \"\"}}}}}}",
                nth + 11
            )
        });
    text.push_str(&hosts.collect::<Vec<_>>().join(","));
    text.push_str("}}");
    text
}

/// The lab at its beginning.
pub fn bare_world() -> World {
    static WORLD: OnceLock<World> = OnceLock::new();
    let build = || {
        let definition = serde_json::from_str(&lab_text()).expect("the lab's description is sound");
        World::build(&definition).expect("the lab can be built")
    };
    WORLD.get_or_init(build).clone()
}

/// The text of a file on a host.
pub fn text_of(world: &World, host: &str, path: &str) -> Option<String> {
    let machine = world.machine(&Place::Host(host.to_owned()))?;
    machine.files.text(path)
}
