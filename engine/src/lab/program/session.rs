//! One command in its surroundings.

use std::collections::BTreeMap;

use super::{Ran, find, virtual_files};
use crate::lab::behaviour::{self, Hook};
use crate::lab::definition::{ImageDefinition, PingKind};
use crate::lab::shell;
use crate::lab::world::{Entry, FileError, Happening, Millis, Place, World};
use crate::transport::{FileKind, FileStat};

/// How deep programs may start programs.
const DEPTH: u32 = 30;

/// Whether a command may change things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A probe: its author promises that it only reads; what would change something is refused.
    Look,
    /// A launched command.
    Change,
}

/// The streams of one program.
#[derive(Clone, Debug, Default)]
pub struct Io {
    /// Standard input.
    pub input: Vec<u8>,
    /// Standard output.
    pub out: Vec<u8>,
    /// Standard error.
    pub err: Vec<u8>,
}

impl Io {
    /// Writes a line to standard output.
    pub fn line(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(b'\n');
    }

    /// Writes text to standard output.
    pub fn print(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Writes a line to standard error and gives the exit status.
    pub fn fail(&mut self, status: i32, text: &str) -> Ran {
        self.err.extend_from_slice(text.as_bytes());
        self.err.push(b'\n');
        Ok(status)
    }

    /// The input as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.input).into_owned()
    }
}

/// What stops a command in the middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// Its time is up.
    TimedOut,
    /// The shell's `exit`.
    Exit(i32),
}

/// The shell's options that the lab has.
#[derive(Clone, Copy, Debug, Default)]
pub struct ShellOptions {
    /// `-e`.
    pub exit_on_error: bool,
    /// `-u`.
    pub refuse_unset: bool,
}

impl ShellOptions {
    /// Takes `-e`, `-u`, `-eu`, `+e` …; refuses what the lab's shell lacks.
    pub fn set(&mut self, word: &str) -> Result<(), String> {
        let on = word.starts_with('-');
        for letter in word[1.min(word.len())..].chars() {
            match letter {
                'e' => self.exit_on_error = on,
                'u' => self.refuse_unset = on,
                _ => {
                    return Err(format!(
                        "sh: option {word} is not understood by the lab's shell"
                    ));
                }
            }
        }
        Ok(())
    }
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Exit status; none when its time was up.
    pub status: Option<i32>,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// A command that runs: where, with what, until when.
pub struct Session<'a> {
    /// Everything.
    pub world: &'a mut World,
    /// Where.
    pub place: Place,
    /// Whether it may change things.
    pub access: Access,
    /// `$?`.
    pub status: i32,
    /// Errors of command substitutions, shown with the command that they stand in.
    pub late_errors: Vec<u8>,
    /// What `set` has set.
    pub options: ShellOptions,
    /// Whether anything happened while time passed.
    pub happened: bool,
    variables: BTreeMap<String, String>,
    arguments: Vec<String>,
    deadline: Option<Millis>,
    depth: u32,
}

impl<'a> Session<'a> {
    /// A command at a place.
    pub fn new(world: &'a mut World, place: Place, access: Access) -> Self {
        let mut session = Self {
            world,
            place,
            access,
            status: 0,
            late_errors: vec![],
            options: ShellOptions::default(),
            happened: false,
            variables: BTreeMap::new(),
            arguments: vec![],
            deadline: None,
            depth: 0,
        };
        session.variables = session.surroundings();
        session
    }

    /// With further environment variables.
    pub fn with_env(mut self, env: BTreeMap<String, String>) -> Self {
        self.variables.extend(env);
        self
    }

    /// With a time limit.
    pub fn until(mut self, deadline: Option<Millis>) -> Self {
        self.deadline = deadline;
        self
    }

    /// Runs a program with arguments.
    pub fn run_argv(&mut self, words: &[String], stdin: &[u8]) -> Outcome {
        let mut io = Io {
            input: stdin.to_vec(),
            ..Io::default()
        };
        let status = match self.execute(words, &mut io) {
            Ok(status) | Err(Halt::Exit(status)) => Some(status),
            Err(Halt::TimedOut) => None,
        };
        Outcome {
            status,
            stdout: io.out,
            stderr: io.err,
        }
    }

    fn surroundings(&self) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::from([
            ("HOME".to_owned(), "/root".to_owned()),
            (
                "PATH".to_owned(),
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            ),
        ]);
        let Some((_, container)) = self.container() else {
            return variables;
        };
        for variable in container["env"].as_array().into_iter().flatten() {
            if let (Some(name), Some(value)) =
                (variable["name"].as_str(), variable["value"].as_str())
            {
                variables.insert(name.to_owned(), value.to_owned());
            }
        }
        variables.insert("HOSTNAME".into(), self.hostname());
        variables
    }

    /// The pod's object and its first container, in a pod.
    pub fn container(&self) -> Option<(&serde_json::Value, &serde_json::Value)> {
        let Place::Pod(pod) = &self.place else {
            return None;
        };
        let (namespace, name) = pod.split_once('/')?;
        let key = crate::lab::cluster::key("pods", Some(namespace), name);
        let object = self.world.objects.get(&key)?;
        Some((object, &object["spec"]["containers"][0]))
    }

    /// What the container's image has; none on a host.
    fn image(&self) -> Option<ImageDefinition> {
        let image = self.container()?.1["image"].as_str()?;
        self.world
            .images
            .iter()
            .find(|(known, _)| *known == image || known.ends_with(&format!("/{image}")))
            .map(|(_, definition)| definition.clone())
            .or_else(|| Some(ImageDefinition::default()))
    }

    /// Which `ping` there is.
    pub fn ping_kind(&self) -> PingKind {
        self.image().map_or(PingKind::Iputils, |image| image.ping)
    }

    /// Whether a program is there, and if not, why.
    pub fn has_program(&self, name: &str) -> bool {
        let base = name.rsplit('/').next().unwrap_or(name);
        let only_hosts = [
            "systemctl",
            "systemd-run",
            "journalctl",
            "nft",
            "ufw",
            "iptables-save",
            "reboot",
        ];
        let taught = Hook::Program(base.to_owned());
        if find(base).is_none() && !self.world.behaviour.knows(&taught) {
            return false;
        }
        match self.image() {
            None => base != "ufw" || self.host().is_some_and(|host| host.firewall.is_some()),
            Some(image) => match image.programs {
                Some(programs) => programs.contains(base),
                None => !only_hosts.contains(&base),
            },
        }
    }

    /// The host, on a host.
    pub fn host(&self) -> Option<&crate::lab::world::Host> {
        match &self.place {
            Place::Host(name) => self.world.hosts.get(name),
            Place::Pod(_) => None,
        }
    }

    /// The machine's own name.
    pub fn hostname(&self) -> String {
        let machine = self.world.machine(&self.place);
        machine
            .and_then(|machine| machine.files.text("/etc/hostname"))
            .map(|text| text.trim().to_owned())
            .unwrap_or_default()
    }

    /// Executes a program, or one of the shell's own words.
    pub fn execute(&mut self, words: &[String], io: &mut Io) -> Ran {
        let Some(name) = words.first() else {
            return Ok(0);
        };
        match name.as_str() {
            "exit" => {
                let status = words.get(1).and_then(|text| text.parse().ok());
                return Err(Halt::Exit(status.unwrap_or(self.status)));
            }
            "export" | "readonly" | "local" => {
                for word in &words[1..] {
                    if let Some((name, value)) = word.split_once('=') {
                        self.set_variable(name, value);
                    }
                }
                return Ok(0);
            }
            "set" => {
                return match words[1..]
                    .iter()
                    .try_for_each(|word| self.options.set(word))
                {
                    Ok(()) => Ok(0),
                    Err(why) => io.fail(2, &why),
                };
            }
            "cd" | "umask" | "trap" | "ulimit" | "eval" | "read" | "shift" | "wait" | "."
            | "source" => {
                return io.fail(
                    2,
                    &format!("sh: `{name}' is not understood by the lab's shell"),
                );
            }
            _ => {}
        }
        self.depth += 1;
        if self.depth > DEPTH {
            return io.fail(126, "sh: programs start programs too deeply for the lab");
        }
        let there = self.has_program(name);
        let taught = match there {
            true => behaviour::program(self.world, &self.place, self.access, words, io),
            false => None,
        };
        let ran = match find(name) {
            // What a lab teaches goes before what every lab has.
            _ if taught.is_some() => taught.unwrap_or(Ok(0)),
            Some(program) if there => program.run(self, words, io),
            Some(_) => io.fail(127, &format!("sh: 1: {name}: not found")),
            None => io.fail(
                127,
                &format!(
                    "sh: 1: {name}: not found (the lab does not know this program; teach it in a .rhai file in the lab's folder: program \"{name}\" |host, args| {{ … }})"
                ),
            ),
        };
        self.depth -= 1;
        ran
    }

    /// Runs a text as a shell would.
    pub fn shell(&mut self, text: &str, arguments: Vec<String>, io: &mut Io) -> Ran {
        let syntax = match shell::parse(text) {
            Ok(syntax) => syntax,
            Err(why) => return io.fail(2, &format!("sh: 1: {why}")),
        };
        let saved = (
            self.variables(),
            std::mem::replace(&mut self.arguments, arguments),
            self.options,
        );
        let ran = match shell::run(self, &syntax, io) {
            Err(Halt::Exit(status)) => Ok(status),
            other => other,
        };
        self.variables = saved.0;
        self.arguments = saved.1;
        self.options = saved.2;
        io.err.append(&mut self.late_errors);
        ran
    }

    /// Refuses to a probe what would change something.
    pub fn may_change(&self, what: &str) -> Result<(), String> {
        match self.access {
            Access::Change => Ok(()),
            Access::Look => Err(format!(
                "{what} changes the machine, but the command was given as a probe, which only reads; use run instead (the lab refused it)"
            )),
        }
    }

    /// Lets time pass, up to the time limit.
    pub fn sleep(&mut self, duration: Millis) -> Result<(), Halt> {
        let left = self.time_left().unwrap_or(Millis::MAX);
        self.happened |= self.world.advance(duration.min(left));
        if duration > left {
            Err(Halt::TimedOut)
        } else {
            Ok(())
        }
    }

    /// Until its time is up.
    pub fn time_left(&self) -> Option<Millis> {
        self.deadline
            .map(|deadline| (deadline - self.world.now).max(0))
    }

    /// Sets another time limit and gives back the one before.
    pub fn set_deadline(&mut self, deadline: Option<Millis>) -> Option<Millis> {
        std::mem::replace(&mut self.deadline, deadline)
    }

    /// Plans something.
    pub fn plan(&mut self, delay: Millis, what: Happening) {
        self.world.plan(delay, what);
    }

    /// `$1`, `$2`, …
    pub fn arguments(&self) -> Vec<String> {
        self.arguments.iter().skip(1).cloned().collect()
    }

    /// A variable's value.
    pub fn variable(&self, name: &str) -> Option<String> {
        match name {
            "?" => Some(self.status.to_string()),
            "#" => Some(self.arguments.len().saturating_sub(1).to_string()),
            "$" => Some("4242".into()),
            "@" | "*" => Some(self.arguments().join(" ")),
            _ => match name.parse::<usize>() {
                Ok(nth) => self.arguments.get(nth).cloned(),
                Err(_) => self.variables.get(name).cloned(),
            },
        }
    }

    /// Sets a variable.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// All variables.
    pub fn variables(&self) -> BTreeMap<String, String> {
        self.variables.clone()
    }

    /// Puts all variables back.
    pub fn restore_variables(&mut self, variables: BTreeMap<String, String>) {
        self.variables = variables;
    }

    /// A file's content; `/proc` and `/sys` show the machine.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        if let Some(content) = virtual_files::read(self, path) {
            return content.map(String::into_bytes);
        }
        let machine = self.world.machine(&self.place).ok_or(FileError::NotFound)?;
        Ok(machine.files.file(path)?.0.content.clone())
    }

    /// Writes a file.
    pub fn write(&mut self, path: &str, content: Vec<u8>) -> Result<(), String> {
        self.may_change("writing a file")?;
        if virtual_files::is_virtual(path) {
            return Err(FileError::ReadOnly.to_string());
        }
        self.files(|files, now| files.write(path, content, now))
    }

    /// Changes the machine's files.
    pub fn files<T>(
        &mut self,
        change: impl FnOnce(&mut crate::lab::world::FileTree, i64) -> Result<T, FileError>,
    ) -> Result<T, String> {
        self.may_change("changing files")?;
        let now = self.world.seconds();
        let machine = self
            .world
            .machine_mut(&self.place)
            .ok_or("the machine is gone")?;
        change(&mut machine.files, now).map_err(|why| why.to_string())
    }

    /// The names in a directory.
    pub fn directory(&self, path: &str) -> Option<Vec<String>> {
        if let Some(names) = virtual_files::names(self, path) {
            return Some(names);
        }
        self.world.machine(&self.place)?.files.names(path).ok()
    }

    /// Whether anything is at a path.
    pub fn exists(&self, path: &str) -> bool {
        self.stat(path).is_some()
    }

    /// What is at a path.
    pub fn stat(&self, path: &str) -> Option<FileStat> {
        if virtual_files::is_virtual(path) {
            return virtual_files::stat(self, path);
        }
        let machine = self.world.machine(&self.place)?;
        Some(match machine.files.get(path).ok()?.1 {
            Entry::File(image, modified, inode) => FileStat {
                kind: FileKind::File,
                size: image.content.len() as u64,
                mode: image.mode,
                uid: image.uid,
                gid: image.gid,
                modified: *modified,
                inode: *inode,
            },
            Entry::Directory(mode, modified, inode) => FileStat {
                kind: FileKind::Directory,
                size: 4096,
                mode: *mode,
                uid: 0,
                gid: 0,
                modified: *modified,
                inode: *inode,
            },
            Entry::Symlink(_) => return None,
        })
    }
}
