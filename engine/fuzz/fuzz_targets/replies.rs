//! What a hostile target may answer: any bytes on both streams, inside the frame or instead of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use runbook::model::{HostName, OperationId, OperationKey, RunId, Target, TargetPath};
use runbook::transport::shell::link::{Exchange, Heard, LinkEnd, Receiver};
use runbook::transport::shell::{ShellLink, ShellTarget};
use runbook::transport::{
    Actor, Cancel, Command, Completion, FILE_LIMIT, InFlight, Launch, OUTPUT_LIMIT, Observer,
    Output, SilentSink, Stream, TransportError,
};
use std::time::Duration;

struct Hostile<'a> {
    target: Target,
    bytes: &'a [u8],
}

impl ShellLink for Hostile<'_> {
    fn target(&self) -> &Target {
        &self.target
    }

    fn exchange(
        &self,
        exchange: &Exchange<'_>,
        receiver: &mut dyn Receiver,
        _: &Cancel,
    ) -> Result<LinkEnd, TransportError> {
        // The first thing that is asked is which tools are there: let that pass.
        let asks_for_tools = exchange
            .input
            .windows(12)
            .any(|part| part == b"Which of the");
        let nonce = String::from_utf8_lossy(&exchange.input[8..40]).into_owned();
        let (shape, bytes) = self.bytes.split_first().unwrap_or((&0, &[]));
        let framed = |body: &[u8]| [format!("\n{nonce} {{\n").as_bytes(), body].concat();
        if asks_for_tools {
            let whole = framed(format!("\n{nonce} }} missing\n").as_bytes());
            receiver.receive(Stream::Stderr, &whole);
            receiver.receive(Stream::Stdout, &whole);
            return Ok(LinkEnd::Heard);
        }
        // `~` in the fuzzed bytes stands for the word that only we know, so that frames can be forged.
        let text: Vec<u8> = bytes
            .iter()
            .flat_map(|byte| match byte {
                b'~' => nonce.as_bytes().to_vec(),
                other => vec![*other],
            })
            .collect();
        let text = if shape & 1 == 1 { framed(&text) } else { text };
        let size = usize::from(shape >> 2) + 1;
        if shape & 2 == 2 {
            receiver.receive(
                Stream::Stderr,
                &framed(format!("\n{nonce} }} \n").as_bytes()),
            );
        }
        for piece in text.chunks(size) {
            if receiver.receive(Stream::Stdout, piece) == Heard::Everything {
                return Ok(LinkEnd::Heard);
            }
        }
        Ok(LinkEnd::Ended(Some(0)))
    }
}

fn bounded(output: &Output) {
    assert!(output.stdout.bytes.len() <= OUTPUT_LIMIT && output.stderr.bytes.len() <= OUTPUT_LIMIT);
    let _ = (output.stdout.text(), output.stderr.text());
}

fuzz_target!(|bytes: &[u8]| {
    let host = HostName::parse("h").expect("is a name");
    let target = ShellTarget::new(
        Hostile {
            target: Target::Host(host),
            bytes,
        },
        None,
    );
    let cancel = Cancel::default();
    let run = RunId::parse("run").expect("is a name");
    let launch = Launch {
        marker: OperationId::derive(&run, 1, &OperationKey("k".into())),
        attempt: 1,
        epoch: 1,
        command: Command::argv(["true"]),
        timeout: None,
        detach: false,
    };
    if let Ok(output) = target.probe(&launch.command, Duration::from_secs(1), &cancel) {
        bounded(&output);
    }
    if let Ok(Completion::Ended(output)) = target.launch(&launch, &SilentSink, &cancel) {
        bounded(&output);
    }
    if let Ok(Completion::Ended(output)) = target.attach(&launch, (3, 1), &SilentSink, &cancel) {
        bounded(&output);
    }
    for answer in [
        target.inquire(&launch.marker, 1),
        target.stop(&launch.marker, 1, &cancel),
    ] {
        match answer {
            Ok(InFlight::Ended(output)) => bounded(&output),
            // The word that lets a command be run again must have been said in exactly this form.
            Ok(InFlight::NeverRan) => assert!(bytes.windows(5).any(|part| part == b"never")),
            _ => {}
        }
    }
    let path = TargetPath::parse("/etc/x").expect("is a path");
    if let Ok(state) = target.read_file(&path) {
        assert!(
            state
                .content()
                .is_none_or(|content| content.len() as u64 <= FILE_LIMIT)
        );
    }
    let _ = target.stat(&path);
    let _ = target.forget(&[launch.marker]);
});
