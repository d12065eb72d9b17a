//! A way to the node's sshd that lives and dies with the kubelet, as a debug pod's does: connections to port 2222 are
//! carried to sshd by this process.

use std::io;
use std::net::{TcpListener, TcpStream};

const PORT: u16 = 2222;

/// Carries connections until the process ends.
pub fn start() {
    let listener = match TcpListener::bind(("0.0.0.0", PORT)) {
        Ok(listener) => listener,
        Err(why) => return println!("level=error msg=\"port {PORT}: {why}\""),
    };
    std::thread::spawn(move || {
        for near in listener.incoming().flatten() {
            if let Ok(far) = TcpStream::connect(("127.0.0.1", 22)) {
                carry(near, far);
            }
        }
    });
}

fn carry(near: TcpStream, far: TcpStream) {
    for (from, to) in [(near.try_clone(), far.try_clone()), (Ok(far), Ok(near))] {
        let (Ok(mut from), Ok(mut to)) = (from, to) else {
            return;
        };
        std::thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(std::net::Shutdown::Write);
        });
    }
}
