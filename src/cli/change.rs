//! Commands that change something: they reach the running service through the
//! control socket of its data directory.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::args::{NotifyTestArgs, Places, PlacesArgs, ReloadArgs, ResumeArgs};
use super::beside::data_dir;
use super::{Exit, Surroundings};
use crate::app::control::{Request, Response, ask};
use crate::app::listening::Listening;
use crate::state::{StateError, StateReader};

/// Longer than the service itself gives a command.
const ANSWER_WITHIN: Duration = Duration::from_secs(40);

/// Longer than the service gives its last commits and its followers together.
const STOP_WITHIN: Duration = Duration::from_secs(90);

/// Deliveries counted at most that a stopped service leaves.
const LEFT_MAX: usize = 100_000;

/// How often it is looked whether the service has stopped.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Asks the running service, and tells what it answered.
pub(super) fn change(places: &Places, request: &Request, around: &mut Surroundings<'_>) -> io::Result<Exit> {
    match data_dir(places) {
        Ok(data) => Ok(asked(&data, request, around)?.1),
        Err(fault) => {
            writeln!(around.err, "{fault}")?;
            Ok(Exit::Fault)
        }
    }
}

/// `forewarn notify-test`.
pub(super) fn notify_test(args: &NotifyTestArgs, around: &mut Surroundings<'_>) -> io::Result<Exit> {
    let NotifyTestArgs { places, contact, target, note, wait } = args;
    let request = Request::NotifyTest {
        contacts: contact.clone(),
        targets: target.clone(),
        note: note.clone(),
        wait_ms: wait.0.unsigned_abs() / 1_000,
    };
    change(places, &request, around)
}

/// `forewarn reload`.
pub(super) fn reload(args: &ReloadArgs, around: &mut Surroundings<'_>) -> io::Result<Exit> {
    change(&args.places, &Request::Reload { orphan: args.orphan }, around)
}

/// `forewarn resume`.
pub(super) fn resume(args: &ResumeArgs, around: &mut Surroundings<'_>) -> io::Result<Exit> {
    change(&args.places, &Request::Resume { dry_run: args.dry_run }, around)
}

/// `forewarn confirm-upgrade`.
pub(super) fn confirm_upgrade(args: &PlacesArgs, around: &mut Surroundings<'_>) -> io::Result<Exit> {
    change(&args.places, &Request::ConfirmUpgrade, around)
}

/// `forewarn stop`: returns once the service has stopped, so that a start may follow.
pub(super) fn stop(args: &PlacesArgs, around: &mut Surroundings<'_>) -> io::Result<Exit> {
    let data = match data_dir(&args.places) {
        Ok(data) => data,
        Err(fault) => {
            writeln!(around.err, "{fault}")?;
            return Ok(Exit::Fault);
        }
    };
    let (Answered::Done, _) = asked(&data, &Request::Stop, around)? else {
        return Ok(Exit::Unreachable);
    };
    around.out.flush()?;
    let began = Instant::now();
    while Listening::read(&data)?.is_some() {
        if began.elapsed() > STOP_WITHIN {
            writeln!(around.err, "it has not stopped within {} s; see its log", STOP_WITHIN.as_secs())?;
            return Ok(Exit::Failed);
        }
        std::thread::sleep(LOOK_EVERY);
    }
    writeln!(around.out, "stopped")?;
    match left(&data) {
        Ok(0) => {}
        Ok(1) => writeln!(around.out, "1 delivery is left; the next start goes on with it")?,
        Ok(left) => writeln!(around.out, "{left} deliveries are left; the next start goes on with them")?,
        Err(error) => writeln!(around.err, "how many deliveries are left cannot be read: {error}")?,
    }
    Ok(Exit::Done)
}

/// How many deliveries a service that has stopped leaves behind, [`LEFT_MAX`] at most.
fn left(data: &Path) -> Result<usize, StateError> {
    let state = StateReader::open_read_only(&data.join("state.db"))?;
    Ok(state.outstanding_deliveries(LEFT_MAX)?.len())
}

/// Whether the service did what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answered {
    Done,
    Otherwise,
}

fn asked(data: &Path, request: &Request, around: &mut Surroundings<'_>) -> io::Result<(Answered, Exit)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let within = ANSWER_WITHIN + request.waits();
    let answer = runtime.block_on(async { tokio::time::timeout(within, ask(data, request)).await });
    match answer {
        Ok(Ok(Response { done: true, lines })) => {
            lines.iter().try_for_each(|line| writeln!(around.out, "{line}"))?;
            Ok((Answered::Done, Exit::Done))
        }
        Ok(Ok(Response { done: false, lines })) => {
            lines.iter().try_for_each(|line| writeln!(around.err, "{line}"))?;
            Ok((Answered::Otherwise, refused(request)))
        }
        Ok(Err(error)) => {
            writeln!(around.err, "{error}")?;
            Ok((Answered::Otherwise, Exit::Unreachable))
        }
        Err(_) => {
            let within = within.as_secs();
            writeln!(
                around.err,
                "no answer within {within} s: it may still take effect; see the service's log"
            )?;
            Ok((Answered::Otherwise, Exit::Unreachable))
        }
    }
}

/// A reload is refused for faults of the configuration; the rest simply failed.
fn refused(request: &Request) -> Exit {
    match request {
        Request::Reload { .. } => Exit::Fault,
        Request::NotifyTest { .. }
        | Request::AllClear { .. }
        | Request::Cancel { .. }
        | Request::Order { .. }
        | Request::Acknowledge { .. }
        | Request::Resend { .. }
        | Request::Resume { .. }
        | Request::ConfirmUpgrade
        | Request::Stop => Exit::Failed,
    }
}
