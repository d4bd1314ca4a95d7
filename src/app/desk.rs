//! The desk: carries out what people ask of a running service, by control
//! socket, signal or HTTP, and says how the service is.

use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use forewarn_core::authority::By;
use forewarn_core::event::{Command, Decision, Input, TroubleReport};
use forewarn_core::ids::{Key, TargetIx};
use forewarn_core::plan::Plan;
use forewarn_core::warning::{Cell, Incident, TroubleCode, TroubleKey};
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::control::{Operator, Request, Response, WAIT_MAX, command_on};
use super::notify;
pub use super::opening::Orphan;
use super::orders::answered;
use super::orders::denial::sentence;
use super::reloaded::{Reread, bridge, orphaned, refusal, reread};
use super::restart;
use super::service::Options;
use super::sources::Sources;
use super::stages::Stages;
use crate::config::plan::Setup;
use crate::config::targets::TargetIds;
use crate::driver::inbox::DriverInbox;
use crate::driver::picture::{Picture, Pulse};
use crate::driver::upgrade::{Before, Upgrade};
use crate::http::Reload;
use crate::log::Indices;
use crate::state::StateReader;

/// Rows counted at most when asked what is undelivered.
const UNDELIVERED_MAX: usize = 100_000;

/// What is said where there is nothing to resume.
const NOT_HELD: &str = "it is not held: nothing waits to be let go";

/// What the desk is made of.
pub(super) struct Parts {
    pub(super) options: Options,
    pub(super) data: PathBuf,
    pub(super) current: watch::Sender<Arc<Setup>>,
    pub(super) inbox: Arc<DriverInbox>,
    pub(super) indices: Indices,
    pub(super) targets: TargetIds,
    pub(super) picture: watch::Receiver<Arc<Picture>>,
    pub(super) pulse: watch::Receiver<Pulse>,
    pub(super) state: Arc<StateReader>,
    pub(super) sources: Arc<Sources>,
    pub(super) upgrade: Arc<Upgrade>,
    pub(super) stages: Stages,
}

/// The desk; a clone is the same desk.
#[derive(Clone)]
pub struct Desk {
    pub(super) parts: Arc<Parts>,
    /// What the service started with, but for what every reload replaces.
    started: Arc<Setup>,
    /// One reload at a time; it alone changes the tables of names.
    names: Arc<Mutex<(Indices, TargetIds)>>,
    /// Cancelled when somebody asked the service to stop.
    asked_to_stop: CancellationToken,
}

impl Desk {
    pub(super) fn new(mut parts: Parts) -> Self {
        let names = (std::mem::take(&mut parts.indices), std::mem::take(&mut parts.targets));
        let started = parts.current.borrow().clone();
        // These every reload replaces whole; kept here they would stand in memory a second time.
        let started = Arc::new(Setup {
            plan: Arc::default(),
            catalog: Arc::default(),
            devices: Arc::default(),
            addresses: Arc::default(),
            outlines: Arc::default(),
            ..(*started).clone()
        });
        Desk {
            started,
            parts: Arc::new(parts),
            names: Arc::new(Mutex::new(names)),
            asked_to_stop: CancellationToken::new(),
        }
    }

    /// Resolves once somebody asked the service to stop by its control socket.
    pub async fn asked_to_stop(&self) {
        self.asked_to_stop.cancelled().await;
    }

    /// Deliveries that have no outcome yet.
    pub(super) fn undelivered(&self) -> usize {
        self.parts.state.outstanding_deliveries(UNDELIVERED_MAX).map_or(0, |rows| rows.len())
    }

    /// Reads the configuration again. All or nothing: with a fault, or where
    /// the engine refuses the plan, the old one stays in force.
    pub async fn reload(&self, orphan: Orphan) -> Result<String, Vec<String>> {
        let desk = self.clone();
        to_its_end(async move { desk.reload_and_tell(orphan).await }).await
    }

    async fn reload_and_tell(&self, orphan: Orphan) -> Result<String, Vec<String>> {
        let reloaded = self.try_reload(orphan).await;
        let key = TroubleKey { code: TroubleCode::ReloadRefused, subject: "configuration".into() };
        let detail = match &reloaded {
            Ok(_) => String::new(),
            Err(faults) => match faults.as_slice() {
                [only] => only.clone(),
                some => {
                    format!("{} faults; the first: {}", some.len(), some.first().map_or("", String::as_str))
                }
            },
        };
        let report = TroubleReport { key, present: reloaded.is_err(), detail };
        self.parts.inbox.ask(vec![Input::Trouble(report)], None);
        match &reloaded {
            Ok(said) => info!(said, "configuration reloaded"),
            Err(faults) => {
                warn!(faults = faults.len(), "configuration not reloaded: the old one stays in force");
            }
        }
        reloaded
    }

    async fn try_reload(&self, orphan: Orphan) -> Result<String, Vec<String>> {
        let mut names = self.names.lock().await;
        let (parts, known, in_force) = (self.parts.clone(), names.clone(), self.plan());
        // The reading of it on a thread of its own: those that carry warnings do not stand still.
        let reread = move || reread(&parts.options, &parts.data, known, &in_force, orphan);
        let reread = tokio::task::spawn_blocking(reread).await.context("the configuration was not read");
        let Reread { loaded, change, names: new_names } = reread.flatten().map_err(|error| lines(&error))?;

        let old = self.parts.current.borrow().clone();
        let restart = restart::needed(&self.started, &loaded.setup);
        let mut left_alone = Vec::new();
        if let Some(inputs) = change {
            self.parts.current.send_replace(Arc::new(bridge(&old, &loaded.setup)));
            let answer = self.parts.inbox.answer(inputs).await;
            // Refused or not, the log holds the new names now, and each is its index's for good.
            *names = new_names;
            if let Some(refused) = refusal(answer.as_ref()) {
                self.parts.current.send_replace(old);
                return Err(vec![refused]);
            }
            left_alone = answer.map_or_else(Vec::new, |answer| orphaned(&answer.decisions, &old.plan));
        }
        // The service stays where its log is; mails and commands must name that place.
        let setup = Arc::new(Setup { data: self.parts.data.clone(), ..loaded.setup });
        self.parts.current.send_replace(setup.clone());
        self.parts.sources.follow(&setup).await;
        let warnings = match loaded.warnings.len() {
            0 => String::new(),
            1 => ", with 1 warning of `forewarn check`".to_owned(),
            some => format!(", with {some} warnings of `forewarn check`"),
        };
        let later = restart::sentence(&restart).map_or(String::new(), |later| format!("; {later}"));
        let alone = match left_alone.as_slice() {
            [] => String::new(),
            cells => format!(
                "; no rule supports {} any more: the warning stands, and its targets were told so, until a person ends it",
                cells.join(", ")
            ),
        };
        Ok(format!("reloaded{warnings}{alone}{later}"))
    }

    pub(super) fn plan(&self) -> Arc<Plan> {
        self.parts.picture.borrow().plan.clone()
    }

    pub(super) fn state(&self) -> &StateReader {
        &self.parts.state
    }

    pub(super) fn hint(&self, words: &str) -> String {
        command_on(&self.parts.data, words)
    }

    async fn command(&self, command: Command, by: By, done: String) -> Response {
        match self.parts.inbox.answer(vec![Input::Command(Box::new(command), by)]).await {
            Some(answer) if answer.decisions.is_empty() => self.without_effect(),
            Some(answer) if matches!(answer.decisions[..], [Decision::Refused(_)]) => self.without_effect(),
            Some(_) => Response::done(done),
            None => Response::refused("the service is stopping"),
        }
    }

    fn without_effect(&self) -> Response {
        if self.is_held() {
            let (look, act) = (self.hint("resume --dry-run"), self.hint("resume"));
            let lines = vec![
                "the service is held: its data directory was restored or copied, and nothing but trouble goes out"
                    .to_owned(),
                format!("  `{look}` shows what would go"),
                format!("  `{act}` lets it, once the original is known to be stopped for good"),
            ];
            return Response { done: false, lines };
        }
        Response::refused("nothing followed from it: there is nothing standing that it could apply to")
    }

    pub(super) fn is_held(&self) -> bool {
        self.parts.picture.borrow().held
    }

    pub(super) async fn notify_test(
        &self,
        contacts: &[String],
        targets: &[String],
        note: String,
        wait: Duration,
        by: By,
    ) -> Response {
        if let Some(phrase) = crate::channels::words::denial(&note) {
            return Response::refused(sentence(phrase));
        }
        let plan = self.parts.picture.borrow().plan.clone();
        let meant = match notify::meant(&plan, contacts, targets) {
            Ok(meant) => meant,
            Err(unknown) => {
                let shown = self.hint("warnings show ID --json");
                let lines = unknown.iter().map(|it| it.line(&shown)).collect();
                return Response { done: false, lines };
            }
        };
        let count = meant.len();
        let told = if count == 1 { "1 target".to_owned() } else { format!("{count} targets") };
        let answer = self
            .parts
            .inbox
            .answer(vec![Input::Command(Box::new(Command::NotifyTest(meant, note)), by)])
            .await;
        let Some(answer) = answer else { return Response::refused("the service is stopping") };
        let Some(test) = notify::decided(&answer.decisions) else { return self.without_effect() };
        let sees = self.hint("warnings list");
        if wait.is_zero() {
            return Response::done(format!("a test goes to {told}; `{sees}` shows what became of it"));
        }
        let asked = notify::Asked { test, targets: count, wait, sees };
        let mut response = notify::outcome(&self.parts.state, &plan, &asked).await;
        response.lines.insert(0, format!("a test goes to {told}"));
        response
    }

    pub(super) async fn acknowledge(&self, warning: &str, contact: &str, by: By) -> Response {
        let found = match Key::parse(warning).map(|key| self.parts.state.warning(key)) {
            Some(Ok(found)) => found,
            Some(Err(error)) => return Response::refused(format!("the warning cannot be read: {error:#}")),
            None => None,
        };
        let Some((found, newest)) = found.as_ref().and_then(|found| Some((found, found.revisions.last()?)))
        else {
            return Response::refused(format!(
                "no warning has the id {warning}, expected one of `{}`",
                self.hint("warnings list")
            ));
        };
        let plan = self.parts.picture.borrow().plan.clone();
        let is_theirs = |it: TargetIx| plan.target(it).is_some_and(|target| target.contact == contact);
        let mut told = found.deliveries.iter().map(|delivery| delivery.target);
        let Some(target) = told.find(|&it| is_theirs(it)) else {
            return Response::refused(format!(
                "contact {contact:?} was not told of it, expected one who was"
            ));
        };
        let command = Command::Acknowledge(newest.warning, newest.number, target);
        match self.parts.inbox.answer(vec![Input::Command(Box::new(command), by)]).await {
            Some(answer) if answer.quarantined || self.is_held() => self.without_effect(),
            Some(answer) if answer.decisions.is_empty() => {
                Response::done(format!("{contact} had acknowledged it before"))
            }
            Some(_) => Response::done(format!("acknowledged for {contact}")),
            None => Response::refused("the service is stopping"),
        }
    }

    pub(super) async fn resend(&self, key: &str, by: By) -> Response {
        let dead = match self.parts.state.dead_letters(UNDELIVERED_MAX) {
            Ok(dead) => dead,
            Err(error) => return Response::refused(format!("dead deliveries cannot be read: {error:#}")),
        };
        let Some(row) = dead.iter().find(|row| row.key.to_string() == key) else {
            return Response::refused(format!(
                "no dead delivery has the key {key}, expected one of `{}`",
                self.hint("warnings dead")
            ));
        };
        self.command(Command::Resend(row.warning, row.target), by, "sent again, in a new round".into()).await
    }

    /// What would go out if a held directory acted again.
    fn would_resume(&self) -> Response {
        let picture = self.parts.picture.borrow().clone();
        let mut lines = vec![match picture.incidents.len() {
            0 => "no incident stands, nothing would be told".to_owned(),
            1 => "1 incident stands and would be told again:".to_owned(),
            some => format!("{some} incidents stand and would be told again:"),
        }];
        let told =
            |incident: &Incident| format!("  {} {}", cell_word(&picture.plan, incident.cell), incident.level);
        lines.extend(picture.incidents.values().map(told));
        if !self.is_held() {
            lines.insert(0, format!("{NOT_HELD}; were it held:"));
        }
        Response { done: true, lines }
    }

    async fn resume(&self, by: By) -> Response {
        let desk = self.clone();
        to_its_end(async move {
            match desk.parts.inbox.answer(vec![Input::Command(Box::new(Command::Resume), by)]).await {
                Some(answer) if answer.decisions.is_empty() => Response::refused(NOT_HELD),
                Some(_) => {
                    let setup = desk.parts.current.borrow().clone();
                    desk.parts.sources.release(&setup).await;
                    Response::done("resumed: what stands is told again")
                }
                None => Response::refused("the service is stopping"),
            }
        })
        .await
    }

    /// The release before this one, until the upgrade from it is confirmed.
    pub fn upgraded_from(&self) -> Option<Before> {
        self.parts.upgrade.before()
    }

    fn confirm_upgrade(&self) -> Response {
        match self.parts.upgrade.confirm() {
            Ok(None) => Response::refused("no upgrade waits to be confirmed"),
            Ok(Some(before)) => Response::done(format!(
                "the upgrade from {} is confirmed: what was kept for the way back is let go",
                before.named()
            )),
            Err(error) => Response::refused(format!("not confirmed: {error}")),
        }
    }

    async fn on_cell(&self, cell: &str, by: By, command: impl FnOnce(Cell) -> Command) -> Response {
        let found = {
            let picture = self.parts.picture.borrow();
            find_cell(&picture.plan, cell)
        };
        match found {
            Some(cell_ix) => {
                self.command(command(cell_ix), by, format!("{cell}: done, its targets are told")).await
            }
            None => Response::refused(format!(
                "{cell:?} is no incident, expected hazard@area as `{}` shows",
                self.hint("warnings list")
            )),
        }
    }
}

/// Does work to its end even if whoever asked for it hangs up: half a reload
/// would leave the log with names that the desk does not know.
async fn to_its_end<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(work).await {
        Ok(done) => done,
        // Nobody cancels it, so it panicked.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

fn lines(error: &anyhow::Error) -> Vec<String> {
    format!("{error:#}").lines().map(str::to_owned).collect()
}

/// `hazard@area`, as people write a cell.
pub(crate) fn cell_word(plan: &Plan, cell: Cell) -> String {
    let area = plan.area(cell.area).map_or("?", |area| area.id.as_str());
    format!("{}@{area}", plan.hazard(cell.hazard))
}

pub(super) fn find_cell(plan: &Plan, word: &str) -> Option<Cell> {
    let (hazard, area) = word.split_once('@')?;
    let hazard = plan.hazards.iter().position(|name| name == hazard)?;
    let area = plan.areas.iter().position(|it| it.as_ref().is_some_and(|it| it.id == area))?;
    Some(Cell {
        hazard: forewarn_core::ids::HazardIx(hazard as u32),
        area: forewarn_core::ids::AreaIx(area as u32),
    })
}

impl Operator for Desk {
    fn handle(&self, request: Request) -> Pin<Box<dyn Future<Output = Response> + Send + '_>> {
        // Whoever reaches the control socket owns the machine.
        let by = By::default();
        Box::pin(async move {
            match request {
                Request::Reload { orphan } => match self.reload(Orphan::asked(orphan)).await {
                    Ok(said) => Response::done(said),
                    Err(lines) => Response { done: false, lines },
                },
                Request::NotifyTest { contacts, targets, note, wait_ms } => {
                    let wait = Duration::from_millis(wait_ms).min(WAIT_MAX);
                    self.notify_test(&contacts, &targets, note, wait, by).await
                }
                Request::AllClear { cell, reason, account } => match self.speaker(account.as_deref()) {
                    Ok(by) => self.on_cell(&cell, by, |at| Command::AllClear(at, reason)).await,
                    Err(why) => Response::refused(why),
                },
                Request::Cancel { cell, reason, account } => match self.speaker(account.as_deref()) {
                    Ok(by) => self.on_cell(&cell, by, |at| Command::Cancel(at, reason)).await,
                    Err(why) => Response::refused(why),
                },
                Request::Order { order, account, json } => match self.speaker(account.as_deref()) {
                    Ok(by) => answered(&self.order(&order, by).await, json),
                    Err(why) => Response::refused(why),
                },
                Request::Acknowledge { warning, contact } => self.acknowledge(&warning, &contact, by).await,
                Request::Resend { key } => self.resend(&key, by).await,
                Request::Resume { dry_run: true } => self.would_resume(),
                Request::Resume { dry_run: false } => self.resume(by).await,
                Request::ConfirmUpgrade => self.confirm_upgrade(),
                Request::Stop => {
                    self.asked_to_stop.cancel();
                    Response::done("stopping")
                }
            }
        })
    }
}

impl Reload for Desk {
    fn reload(&self) -> Pin<Box<dyn Future<Output = Result<String, Vec<String>>> + Send + '_>> {
        Box::pin(Desk::reload(self, Orphan::Refuse))
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("data", &self.parts.data).finish_non_exhaustive()
    }
}
