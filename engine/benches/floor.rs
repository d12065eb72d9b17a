//! The floors under a run, for `ssh.sh`: what a bare loop over ssh costs with neither journal nor gate, and what it
//! costs to make a record durable.

use std::error::Error;
use std::io::Write;
use std::time::Instant;

use openssh::{KnownHosts, SessionBuilder};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["mux", config, host, hosts, times] => mux(config, host, hosts.parse()?, times.parse()?),
        ["sync", directory, times] => sync(directory, times.parse()?),
        _ => Err("floor mux CONFIG HOST HOSTS TIMES | floor sync DIRECTORY TIMES".into()),
    }
}

/// `true`, one after the other on each host, the hosts HOST0, HOST1, … at once, through one master each.
fn mux(config: &str, host: &str, hosts: usize, times: usize) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut all = tokio::task::JoinSet::new();
        for nth in 0..hosts {
            let (config, host) = (config.to_owned(), format!("{host}{nth}"));
            all.spawn(async move {
                let session = SessionBuilder::default()
                    .known_hosts_check(KnownHosts::Accept)
                    .config_file(config)
                    .connect_mux(host)
                    .await?;
                for _ in 0..times {
                    session.raw_command("true").output().await?;
                }
                session.close().await
            });
        }
        while let Some(done) = all.join_next().await {
            done??;
        }
        Ok(())
    })
}

/// The median time of appending 1 KiB to a file and syncing it, in microseconds.
fn sync(directory: &str, times: usize) -> Result<(), Box<dyn Error>> {
    let path = std::path::Path::new(directory).join("floor.tmp");
    let mut file = std::fs::File::create(&path)?;
    let mut spent = Vec::new();
    for _ in 0..times {
        let begin = Instant::now();
        file.write_all(&[b'x'; 1024])?;
        file.sync_data()?;
        spent.push(begin.elapsed());
    }
    std::fs::remove_file(&path)?;
    spent.sort();
    println!("{}", spent[times / 2].as_micros());
    Ok(())
}
