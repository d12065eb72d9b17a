//! Which image a helper pod runs, when nobody says: one that its node already has, since a registry may be out of
//! reach exactly when a node's network is to be repaired.

use serde_json::Value as Json;

/// Repositories whose images have a shell, `nsenter` and `chroot`, best first: small ones, then those that k3s and
/// the Tailscale operator bring along (built on Alpine), then distributions.
const KNOWN: &[&str] = &[
    "busybox",
    "mirrored-library-busybox",
    "alpine",
    "klipper-lb",
    "klipper-helm",
    "tailscale",
    "netshoot",
    "debian",
    "ubuntu",
];

/// The best image among those that a node says it has (`status.images`).
pub(super) fn chosen(node: &Json) -> Option<String> {
    let names = node["status"]["images"]
        .as_array()?
        .iter()
        .flat_map(|image| {
            let names = image["names"].as_array().cloned().unwrap_or_default();
            // A name with a tag reads better than one with a digest, and both are the same image.
            let mut names: Vec<String> = names
                .iter()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect();
            names.sort_by_key(|name| name.contains('@'));
            names
        });
    let mut found: Vec<(usize, String)> = names
        .filter_map(|name| rank(&name).map(|rank| (rank, name)))
        .collect();
    // The sort is stable: within a rank the tagged name stays first.
    found.sort_by_key(|(rank, name)| (*rank, name.contains('@')));
    found.into_iter().next().map(|(_, name)| name)
}

fn rank(image: &str) -> Option<usize> {
    let without_digest = image.split('@').next().unwrap_or(image);
    let last = without_digest.rsplit('/').next().unwrap_or(without_digest);
    let repository = last.split(':').next().unwrap_or(last);
    KNOWN.iter().position(|known| *known == repository)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_best_image_that_is_there_is_taken() {
        let node = json!({ "status": { "images": [
            { "names": ["docker.io/rancher/klipper-lb@sha256:11", "docker.io/rancher/klipper-lb:v0.4.13"] },
            { "names": ["registry.k8s.io/pause:3.10"] },
            { "names": ["docker.io/rancher/mirrored-library-busybox@sha256:22", "docker.io/rancher/mirrored-library-busybox:1.36.1"] },
        ]}});
        assert_eq!(
            chosen(&node).as_deref(),
            Some("docker.io/rancher/mirrored-library-busybox:1.36.1")
        );
        let bare = json!({ "status": { "images": [{ "names": ["registry.k8s.io/pause:3.10", "x/notbusybox:1"] }] }});
        assert_eq!(chosen(&bare), None);
    }

    #[test]
    fn a_registry_with_a_port_is_no_tag() {
        assert_eq!(rank("localhost:5000/busybox"), Some(0));
        assert_eq!(rank("localhost:5000/library/alpine:3@sha256:ab"), Some(2));
    }
}
