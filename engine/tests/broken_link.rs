//! A link that breaks in the middle of sending: nothing may happen on the target.

mod support;

use runbook::model::{
    FileImage, FileState, HostName, OperationId, OperationKey, RunId, Target, TargetPath,
};
use runbook::transport::shell::ShellTarget;
use runbook::transport::shell::link::{Exchange, LinkEnd, Receiver, ShellLink};
use runbook::transport::{
    Actor, Cancel, Command, InFlight, Launch, LocalLink, Observer, SilentSink, TransportError,
};
use support::shells::runtime;

/// Passes on all but the last `missing` bytes of what is sent, if it holds `only`.
struct Breaking {
    link: LocalLink,
    only: &'static [u8],
    missing: usize,
}

impl ShellLink for Breaking {
    fn target(&self) -> &Target {
        self.link.target()
    }

    fn exchange(
        &self,
        exchange: &Exchange<'_>,
        receiver: &mut dyn Receiver,
        cancel: &Cancel,
    ) -> Result<LinkEnd, TransportError> {
        let concerned = exchange
            .input
            .windows(self.only.len())
            .any(|part| part == self.only);
        let missing = if concerned { self.missing } else { 0 };
        let exchange = Exchange {
            words: exchange.words,
            input: &exchange.input[..exchange.input.len() - missing],
            deadline: exchange.deadline,
        };
        self.link.exchange(&exchange, receiver, cancel)
    }
}

fn target(
    directory: &tempfile::TempDir,
    only: &'static [u8],
    missing: usize,
) -> ShellTarget<Breaking> {
    let here = Target::Host(HostName::parse("here").unwrap());
    let link = LocalLink::new(here, runtime().handle().clone());
    ShellTarget::new(
        Breaking {
            link,
            only,
            missing,
        },
        None,
    )
    .with_marker_directory(directory.path().join("markers").to_str().unwrap())
}

const CONTENT: &[u8] = b"the content that is sent\n";

#[test]
fn half_a_file_is_never_written() {
    // Missing: the last byte, all content, the end of the line with the script.
    for missing in [1, CONTENT.len(), CONTENT.len() + 1, CONTENT.len() + 400] {
        let directory = tempfile::TempDir::new().unwrap();
        let target = target(&directory, CONTENT, missing);
        let path = TargetPath::parse(directory.path().join("f").to_str().unwrap()).unwrap();
        let wanted = FileState::Present(FileImage {
            content: CONTENT.into(),
            mode: 0o600,
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
            selinux: None,
        });
        let result = target.replace_file(&path, &FileState::Absent, &wanted);
        assert!(result.is_err(), "{missing} bytes are missing");
        assert_eq!(target.read_file(&path).unwrap(), FileState::Absent);
        let left = std::fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(left, 0, "{missing}: something is left");
    }
}

#[test]
fn a_command_never_sees_half_of_its_input() {
    for missing in [1, CONTENT.len(), CONTENT.len() + 1, CONTENT.len() + 400] {
        let directory = tempfile::TempDir::new().unwrap();
        let target = target(&directory, CONTENT, missing);
        let ran = directory.path().join("ran");
        let launch = Launch {
            marker: OperationId::derive(
                &RunId::parse("run").unwrap(),
                1,
                &OperationKey("half".into()),
            ),
            attempt: 1,
            epoch: 1,
            command: Command {
                stdin: Some(CONTENT.into()),
                ..Command::argv(["tee", ran.to_str().unwrap()])
            },
            timeout: None,
            detach: false,
        };
        let result = target.launch(&launch, &SilentSink, &Cancel::default());
        assert!(result.is_err(), "{missing} bytes are missing: {result:?}");
        assert_eq!(
            target.inquire(&launch.marker, 1).unwrap(),
            InFlight::NeverRan
        );
        assert!(!ran.exists(), "{missing}");
    }
}
