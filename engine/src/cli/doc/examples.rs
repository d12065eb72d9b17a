//! The examples of the standard library, which the tests run as they stand.

const FILES: &[&str] = &[
    include_str!("../../../../stdlib/examples/files.rhai"),
    include_str!("../../../../stdlib/examples/flannel.rhai"),
    include_str!("../../../../stdlib/examples/k3s.rhai"),
    include_str!("../../../../stdlib/examples/kubernetes.rhai"),
    include_str!("../../../../stdlib/examples/measure.rhai"),
    include_str!("../../../../stdlib/examples/mtu.rhai"),
    include_str!("../../../../stdlib/examples/net.rhai"),
    include_str!("../../../../stdlib/examples/systemd.rhai"),
    include_str!("../../../../stdlib/examples/table.rhai"),
    include_str!("../../../../stdlib/examples/tailscale.rhai"),
    include_str!("../../../../stdlib/examples/tls.rhai"),
];

/// The example of a function such as `mtu::pods`: it stands under the line `//# mtu::pods`.
pub fn of(function: &str) -> Option<&'static str> {
    let head = format!("//# {function}\n");
    FILES.iter().find_map(|text| {
        let (_, behind) = text.split_once(&head)?;
        Some(behind.split("\n//# ").next().unwrap_or(behind).trim())
    })
}
