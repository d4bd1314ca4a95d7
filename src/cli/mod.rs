//! The command line: what people may ask, and how they are answered.
//!
//! `check`, `who`, `schema`, `devices` and `completions` need no service; `run`
//! and `demo` are one. `warnings`, `sensors`, `quarantine`, `log` and `backup` read a data
//! directory beside the service; what changes something goes through its control socket.

mod accounts;
mod args;
mod backup;
mod beside;
mod change;
mod check;
mod demo;
mod devices;
mod health;
mod log;
mod orders;
mod quarantine;
mod record;
mod run;
mod schema;
mod sensors;
mod show;
mod table;
mod warnings;
mod who;

use std::io::{self, Write};

use clap::{CommandFactory, Parser};
use forewarn_core::time::Timestamp;

pub use args::CheckArgs;
pub use args::{
    AccountsAction, AccountsArgs, BackupArgs, Cli, Command, CompletionsArgs, DemoArgs, DevicesAction,
    DevicesArgs, HealthArgs, Listing, LogAction, LogArgs, LogFormat, Maintained, MaintenanceAction,
    MaintenanceArgs, MuteAction, MuteArgs, Muted, NotifyTestArgs, Places, PlacesArgs, QuarantineAction,
    QuarantineArgs, ReloadArgs, RestoreArgs, ResumeArgs, RunArgs, SchemaArgs, SensorsArgs, Speaks,
    TokensAction, TokensArgs, WarningsAction, WarningsArgs, WhoArgs, Written,
};
pub use show::Paint;

/// How a command ends, for scripts; stands in the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, and nothing to remark.
    Done,
    /// Done, but there are warnings (with `--strict`), nothing was found, or the service is not ready.
    Remarks,
    /// The configuration is at fault, or the command was not understood.
    Fault,
    /// The running service cannot be reached.
    Unreachable,
    /// Anything else that failed.
    Failed,
}

impl Exit {
    /// The process's exit code.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Remarks => 1,
            Exit::Fault => 2,
            Exit::Unreachable => 3,
            Exit::Failed => 4,
        }
    }
}

/// Where answers go, and in which surroundings they are found.
pub struct Surroundings<'a> {
    /// What was asked for.
    pub out: &'a mut dyn Write,
    /// What went wrong.
    pub err: &'a mut dyn Write,
    /// Whether to colour.
    pub paint: Paint,
    /// Civil time now.
    pub now: Timestamp,
    /// Reads environment variables, for secrets.
    pub env: &'a dyn Fn(&str) -> Option<String>,
}

/// Reads the command line; explains itself and ends the process where it was
/// not understood (code 2) or only asked for help (code 0).
pub fn parse() -> Command {
    Cli::parse().command
}

/// Answers a command, and says how it ended.
pub fn handle(command: Command, around: &mut Surroundings<'_>) -> Exit {
    let answered = match command {
        Command::Check(args) => check::check(&args, around),
        Command::Who(args) => who::who(&args, around),
        Command::Schema(args) => schema::schema(&args, around),
        Command::Accounts(args) => accounts::accounts(&args, around),
        Command::Tokens(args) => accounts::tokens(&args, around),
        Command::Devices(args) => devices::devices(&args, around),
        Command::Completions(args) => completions(&args, around),
        Command::Demo(args) => demo::demo(&args, around),
        Command::Run(args) => run::run(&args, around),
        Command::Warnings(args) => warnings::warnings(&args, around),
        Command::Mute(args) => orders::mute(&args, around),
        Command::Maintenance(args) => orders::maintenance(&args, around),
        Command::Sensors(args) => sensors::sensors(&args, around),
        Command::Quarantine(args) => quarantine::quarantine(&args, around),
        Command::Log(args) => log::log(&args, around),
        Command::Backup(args) => backup::backup(&args, around),
        Command::Restore(args) => backup::restore(&args, around),
        Command::NotifyTest(args) => change::notify_test(&args, around),
        Command::Reload(args) => change::reload(&args, around),
        Command::Resume(args) => change::resume(&args, around),
        Command::ConfirmUpgrade(args) => change::confirm_upgrade(&args, around),
        Command::Stop(args) => change::stop(&args, around),
        Command::Health(args) => health::health(&args, around),
    };
    answered.and_then(|exit| around.out.flush().map(|()| exit)).unwrap_or_else(|error| {
        // Whoever reads us has read enough (`forewarn schema | head`).
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Exit::Done;
        }
        // If that cannot be written either, the exit code is all there is to say.
        let _ = writeln!(around.err, "{error}");
        Exit::Failed
    })
}

fn completions(args: &CompletionsArgs, around: &mut Surroundings<'_>) -> io::Result<Exit> {
    // The generator panics where it cannot write, so it writes to memory.
    let mut script = vec![];
    clap_complete::generate(args.shell, &mut Cli::command(), "forewarn", &mut script);
    around.out.write_all(&script)?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_is_understood() {
        for line in [
            "run",
            "run --config c --data d",
            "demo",
            "demo --recording hugo-1989 --seed 7 --data d",
            "check --strict",
            "who --area a --level red --hazard flood --at 2026-07-01T03:00",
            "schema",
            "schema rules",
            "devices list",
            "accounts list --json",
            "accounts add li --role operator --areas a,b --password-stdin",
            "accounts role li --role viewer",
            "accounts reset li",
            "accounts remove li --data d",
            "tokens add script --role viewer --lasts 30d",
            "tokens list",
            "tokens revoke token-1",
            "schema --openapi",
            "devices add gw-1 --stations a,b",
            "notify-test --contact it-duty",
            "notify-test --target t-1",
            "warnings",
            "warnings list",
            "warnings list --json --limit 5 --data d",
            "warnings --data d --json list",
            "warnings show 0f3a",
            "warnings dead",
            "warnings all-clear flood@upper --reason done",
            "warnings cancel flood@upper --reason error",
            "warnings resend 0123",
            "warnings correct 0f3a --zh a --en b --as li",
            "warnings correct 0f3a --zh a --en b --zh-do c --en-do d",
            "warnings cancel 0f3a",
            "warnings note seen --on 0f3a",
            "warnings draft --hazard flood --area a --area b --level red --for 2h --zh a --en b",
            "warnings drafts 7 --json",
            "warnings approve 7 --digest 01234567 --as wang",
            "warnings withdraw 7 --reason no",
            "mute",
            "mute add --area a --for 2h --reason works --up-to red --as li",
            "mute end 7",
            "maintenance add --sensor qj-01/level --after 90min --for 4h --reason works",
            "maintenance list --json",
            "sensors",
            "sensors qj-01/level --json --data d",
            "sensors qj-* --limit 5 --data d",
            "quarantine",
            "quarantine show 4",
            "log list",
            "log verify",
            "backup --to /mnt/monday --data d",
            "restore --from /mnt/monday --data d",
            "health",
            "health --live --data d",
            "reload --orphan",
            "resume --dry-run",
            "confirm-upgrade --data d",
            "stop",
            "log show 17",
            "completions bash",
        ] {
            let words = std::iter::once("forewarn").chain(line.split(' '));
            assert!(Cli::try_parse_from(words).is_ok(), "{line}");
        }
    }

    #[test]
    fn every_exit_code_stands_in_the_help() {
        let help = Cli::command().render_long_help().to_string();
        for exit in [Exit::Done, Exit::Remarks, Exit::Fault, Exit::Unreachable, Exit::Failed] {
            assert!(help.contains(&format!("\n  {}  ", exit.code())), "{exit:?} in {help}");
        }
    }

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_left_is_no_failure() {
        for line in ["forewarn schema", "forewarn completions zsh"] {
            let command = Cli::try_parse_from(line.split(' ')).expect(line).command;
            let mut around = Surroundings {
                out: &mut Closed,
                err: &mut io::sink(),
                paint: Paint::Off,
                now: Timestamp(0),
                env: &|_| None,
            };
            assert_eq!(handle(command, &mut around), Exit::Done, "{line}");
        }
    }
}
