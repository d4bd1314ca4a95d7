//! The command `forewarn`.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use forewarn::cli::{self, Command, Exit, Handled, Paint, Surroundings};

/// Many small allocations from many threads: the system's own allocator keeps more than it gives.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let command = cli::parse();
    let (mut out, mut err) = (BufWriter::new(io::stdout().lock()), io::stderr());
    let mut around = Surroundings {
        out: &mut out,
        err: &mut err,
        paint: Paint::of_stdout(),
        now: forewarn::clock::wall(),
        env: &|name| std::env::var(name).ok(),
    };
    let exit = match cli::handle(command, &mut around) {
        Handled::Done(exit) => exit,
        Handled::Service(command) => serve(&command, around.err),
    };
    ExitCode::from(exit.code())
}

/// Commands that need the service itself, or a running one.
fn serve(command: &Command, err: &mut dyn Write) -> Exit {
    let name = match command {
        Command::NotifyTest(_) => "notify-test",
        Command::Warnings(_) => "warnings",
        Command::Quarantine(_) => "quarantine",
        Command::Log(_) => "log",
        Command::Run(_)
        | Command::Check(_)
        | Command::Who(_)
        | Command::Schema(_)
        | Command::Devices(_)
        | Command::Demo(_)
        | Command::Completions(_) => {
            unreachable!("answered by cli::handle")
        }
    };
    // If standard error is closed, the exit code is all there is to say.
    let _ = writeln!(err, "{name} is not part of this build");
    Exit::Failed
}
