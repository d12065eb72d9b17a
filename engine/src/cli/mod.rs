//! The command line: arguments and what each command does with them. One file a command.

mod again;
mod answers;
pub mod args;
mod check;
mod complete;
mod console;
mod context;
mod doc;
mod doctor;
mod ending;
mod fleet;
mod foresight;
mod gc;
mod ground;
mod inspect;
mod lab;
mod log;
mod man;
mod new;
mod plan;
pub mod plan_file;
mod preflight;
mod prepare;
mod problem;
mod report;
mod resolve;
mod resume;
mod run;
mod runtime;
mod secrets;
mod session;
mod test;
mod undo;
mod verify;

use std::process::ExitCode;

use args::{Cli, Command, Shown};
use console::Console;
use problem::Problem;

/// Runs the program: reads the arguments, does what they ask, returns the exit status of design 7.
pub fn main() -> ExitCode {
    let cli = match args::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(stop) => {
            // Nothing can be done about a closed stdout or stderr here.
            let _ = stop.error.print();
            return ExitCode::from(stop.exit);
        }
    };
    let console = Console::new(&cli.global);
    log::start(&cli.global, console.err.color);
    let exit = dispatch(&cli, &console).unwrap_or_else(|problem| {
        console.problem(&problem);
        problem.exit
    });
    ExitCode::from(exit)
}

fn dispatch(cli: &Cli, console: &Console) -> Result<u8, Problem> {
    match &cli.command {
        Command::Run(run) => run::run(run, &cli.global, console),
        Command::Resume(resume) => resume::resume(resume, &cli.global, console),
        Command::Resolve(resolve) => resolve::resolve(resolve, &cli.global, console),
        Command::Undo(undo) => undo::undo(undo, &cli.global, console),
        Command::List => inspect::list(&cli.global, console),
        Command::Status { run } => inspect::status(run.as_ref(), &cli.global, console),
        Command::Show { what, format, json } => match what {
            Shown::Run(run) => inspect::show(run, *format, *json, &cli.global, console),
            Shown::Plan(path) => plan::show(path, *format, *json, console),
        },
        Command::Report { run, format, out } => {
            report::report(run.as_ref(), *format, out.as_deref(), &cli.global, console)
        }
        Command::Gc(gc) => gc::gc(gc, &cli.global, console),
        Command::Doctor(doctor) => doctor::doctor(doctor, &cli.global, console),
        Command::Verify { run, repair } => verify::verify(run, *repair, &cli.global, console),
        Command::Check(check) => check::check(check, console),
        Command::New { name } => new::new(name, console),
        Command::Test(test) => test::test(test, console),
        Command::Doc(arguments) => doc::doc(arguments, console),
        Command::Lab { command } => lab::lab(command, &cli.global, console),
        Command::Completions { shell } => {
            console.print(complete::script(*shell));
            Ok(0)
        }
        Command::Man { out } => man::man(out.as_deref(), console),
        Command::Complete(arguments) => {
            console.print(&complete::complete(arguments));
            Ok(0)
        }
    }
}
