use super::Bench;

#[test]
fn funnel_speaks_go_defaults_with_an_ecdsa_certificate() {
    let bench = Bench::new();
    let base =
        "openssl s_client -connect 203.0.113.80:443 -servername authentik.tail1a2b3.ts.net -brief";
    for (options, status, words) in [
        ("-tls1_3", 0, "TLSv1.3"),
        ("-tls1_2", 0, "ECDHE-ECDSA"),
        (
            "-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256",
            0,
            "TLSv1.2",
        ),
        (
            "-tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256",
            1,
            "SSL alert number 40",
        ),
        ("-tls1_2 -cipher AES128-SHA", 1, "SSL alert number 40"),
        (
            "-tls1_1 -cipher DEFAULT@SECLEVEL=0",
            1,
            "SSL alert number 70",
        ),
    ] {
        let (got, text) = bench.probe("k3s-server-1", &format!("{base} {options} </dev/null"));
        assert!(
            got == status && text.contains(words),
            "{options}: {got} {text}"
        );
    }
}
