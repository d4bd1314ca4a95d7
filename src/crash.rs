//! Where the crash law lets the process die: `FOREWARN_CRASH=sync:3` ends it at
//! the third passage of that step, as a power cut would. `FOREWARN_EARLY=send`
//! plants a defect that the law must find. `FOREWARN_STALL=FILE` lets a step
//! stand still from the moment the file says so (`sync hang`), or end by a panic
//! (`courier drop`): a heartbeat must stop whichever does. Only builds with debug
//! assertions know of any of them.

#[cfg(debug_assertions)]
use std::sync::OnceLock;
#[cfg(debug_assertions)]
use std::sync::atomic::{AtomicU64, Ordering};

/// A step on the way of a reading, about to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// A batch is stepped.
    Step,
    /// What it decided is written to the log.
    Append,
    /// What was written is synced.
    Sync,
    /// Its senders are acknowledged.
    Ack,
    /// The projection takes records in.
    Projection,
    /// A delivery is attempted.
    Send,
    /// What became of an attempt is logged.
    Receipt,
    /// The canary sets out.
    Canary,
    /// The courier takes a record from the log.
    Courier,
    /// A heartbeat leaves by its channel.
    Heartbeat,
}

#[cfg(debug_assertions)]
impl Before {
    fn word(self) -> &'static str {
        match self {
            Before::Step => "step",
            Before::Append => "append",
            Before::Sync => "sync",
            Before::Ack => "ack",
            Before::Projection => "projection",
            Before::Send => "send",
            Before::Receipt => "receipt",
            Before::Canary => "canary",
            Before::Courier => "courier",
            Before::Heartbeat => "heartbeat",
        }
    }
}

/// How a step comes to a stop.
#[cfg(debug_assertions)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stall {
    /// It waits for what never comes, as in a deadlock.
    Hang,
    /// Its thread or task ends.
    Drop,
}

/// What `FOREWARN_STALL` asks of a step at this moment.
#[cfg(debug_assertions)]
fn stall(before: Before) -> Option<Stall> {
    static FILE: OnceLock<Option<std::path::PathBuf>> = OnceLock::new();
    let file = FILE.get_or_init(|| std::env::var_os("FOREWARN_STALL").map(Into::into)).as_ref()?;
    let asked = std::fs::read_to_string(file).ok()?;
    let (step, how) = asked.trim().split_once(' ')?;
    let how = match how {
        "hang" => Stall::Hang,
        "drop" => Stall::Drop,
        _ => return None,
    };
    (step == before.word()).then_some(how)
}

/// Goes on, or stands still here if it was asked to: its thread is blocked.
#[cfg(debug_assertions)]
fn may_stall(before: Before) {
    match stall(before) {
        None => {}
        Some(Stall::Drop) => panic!("dropped on purpose before {}", before.word()),
        Some(Stall::Hang) => loop {
            std::thread::park();
        },
    }
}

/// As [`may_come`], in a task: one that stands still leaves its thread to others.
#[cfg(debug_assertions)]
pub(crate) async fn may_come_in_task(before: Before) {
    if stall(before) == Some(Stall::Hang) {
        std::future::pending::<()>().await;
    }
    may_come(before);
}

/// Goes on.
#[cfg(not(debug_assertions))]
#[inline(always)]
#[expect(clippy::unused_async, reason = "where tests run, it may wait for ever")]
pub(crate) async fn may_come_in_task(_: Before) {}

/// Goes on, or dies here if it was asked to.
#[cfg(debug_assertions)]
pub(crate) fn may_come(before: Before) {
    static ASKED: OnceLock<Option<(String, AtomicU64)>> = OnceLock::new();
    may_stall(before);
    let asked = ASKED.get_or_init(|| {
        let asked = std::env::var("FOREWARN_CRASH").ok()?;
        let (step, passage) = asked.split_once(':')?;
        Some((step.to_owned(), AtomicU64::new(passage.parse().ok()?)))
    });
    if let Some((step, left)) = asked
        && step == before.word()
        && left.fetch_sub(1, Ordering::Relaxed) == 1
    {
        // What others may do without this step, they have done by then: what
        // they must not do becomes seen.
        std::thread::sleep(std::time::Duration::from_millis(30));
        std::process::abort();
    }
}

/// Goes on.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub(crate) fn may_come(_: Before) {}

/// What must not be done before the record that holds its reason is durable,
/// and is with that defect planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Early {
    /// Senders are acknowledged.
    Acknowledge,
    /// The courier has the deliveries.
    Send,
}

/// Whether there was anything to do too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    Something,
    Nothing,
}

/// Does it too early where that is planted, and if there was anything to do,
/// before a write that takes its time: long enough for what follows to be seen.
/// A kill takes nothing from the page cache, so that what was written counts as
/// durable here: what a missing sync loses, the log's simulated disk shows.
#[cfg(debug_assertions)]
pub(crate) fn too_early(planted: Early, act: impl FnOnce() -> Done) {
    static PLANTED: OnceLock<Option<Early>> = OnceLock::new();
    let is = PLANTED.get_or_init(|| match std::env::var("FOREWARN_EARLY").ok()?.as_str() {
        "acknowledge" => Some(Early::Acknowledge),
        "send" => Some(Early::Send),
        _ => None,
    });
    if *is == Some(planted) && act() == Done::Something {
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
}

/// Nothing is too early.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub(crate) fn too_early(_: Early, _: impl FnOnce() -> Done) {}
