//! The board's pages, from a look at the engine, the projection and the
//! embedded store; and what is ordered on them.

mod orders;
mod words;

use std::sync::Arc;
use std::time::Duration;

use forewarn_core::authority::{Ground, Role};
use forewarn_core::ids::{AreaIx, Key, Position, SensorIx};
use forewarn_core::plan::Plan;
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::warning::{About, Seen};
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::board::{self, Acts, Draft, Look, Maker, PAGE_ROWS, Scene, Sight, Visitor};
use crate::channels::chart::HOURS;
use crate::channels::words::Words;
use crate::config::plan::Setup;
use crate::driver::inbox::DriverInbox;
use crate::driver::picture::{Picture, Pulse};
use crate::http::board::{Asked, Board, Drawing, Drawn, Heard, List, Order, Ordering, Page, Waiting};
use crate::http::caller::Caller;
use crate::ports::{CivilClock, Current, History, Kept};
use crate::state::{StateError, StateReader, WarningDetail};

/// A look serves whoever comes so soon after it, unless something was decided since.
const LOOK_SERVES: Duration = Duration::from_millis(500);

/// Warnings by hand that are looked at, newest first: two persons made each of them.
const BY_HAND_MAX: usize = 1_000;

/// Warnings whose deliveries are shown as recent.
const RECENT_WARNINGS: usize = 20;

/// Pages of a list that can be gone through; the command line has the rest.
const PAGES_MAX: usize = 200;

/// What the board is made of.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) current: Current,
    pub(super) state: Arc<StateReader>,
    pub(super) inbox: Arc<DriverInbox>,
    pub(super) history: Arc<dyn History>,
    pub(super) civil: Arc<dyn CivilClock>,
    pub(super) picture: watch::Receiver<Arc<Picture>>,
    pub(super) pulse: watch::Receiver<Pulse>,
    /// How far the projection is.
    pub(super) projected: watch::Receiver<Position>,
    pub(super) shutdown: CancellationToken,
}

/// The board of one service; a clone is the same board.
#[derive(Debug, Clone)]
pub(super) struct Boards {
    parts: Arc<Parts>,
    maker: Arc<Maker>,
    sight: Arc<Mutex<Option<Taken>>>,
}

/// A look, and when it was taken.
type Taken = (Instant, Arc<Sight>);

/// A page that is asked for, with all that every page needs.
struct Request {
    asked: Asked,
    setup: Arc<Setup>,
    sight: Arc<Sight>,
    language: String,
    visitor: Visitor,
}

impl Boards {
    pub(super) fn new(parts: Parts) -> Boards {
        Boards { parts: Arc::new(parts), maker: Arc::default(), sight: Arc::default() }
    }

    /// The engine as it stands; `None` where it cannot be had in time.
    async fn sight(&self) -> Option<Arc<Sight>> {
        let mut kept = self.sight.lock().await;
        let decided = self.parts.picture.borrow().position;
        if let Some((taken, sight)) = &*kept
            && taken.elapsed() < LOOK_SERVES
            && sight.look.position >= decided
        {
            return Some(sight.clone());
        }
        let pulse = self.parts.pulse.clone();
        // Asked in the loop itself, between two commits: engine and position are of one.
        let frozen = self.parts.inbox.look(move |engine| (engine.freeze(), pulse.borrow().position));
        let (engine, position) = frozen.await?;
        let look = Look::new(engine, position, self.parts.civil.civil());
        // Counting many sensors takes a moment, which nobody else's work is to wait for.
        let sight = Arc::new(tokio::task::spawn_blocking(move || Sight::of(look)).await.ok()?);
        *kept = Some((Instant::now(), sight.clone()));
        Some(sight)
    }

    async fn drawn(&self, asked: Asked) -> Drawn {
        let Some(sight) = self.sight().await else { return Drawn::Later };
        let setup = self.parts.current.borrow().clone();
        let language = self.maker.language(&setup, asked.chosen.as_deref(), &asked.accepts);
        let visitor = visitor(&asked.caller);
        let request = Request { asked, setup, sight, language, visitor };
        match request.asked.page.clone() {
            Page::Home => self.home(request).await,
            Page::Warnings(list) => self.warnings(request, list).await,
            Page::Warning(id) => self.warning(request, &id).await,
            Page::Sensors(list) => {
                let page = list.page.parse().unwrap_or(1);
                let filter = board::sensors::Filter { text: list.q, group: list.group, page };
                self.draw(request, move |_, scene, words| {
                    Ok(Some(board::sensors::draw(scene, &filter, words)))
                })
                .await
            }
            Page::Sensor(id) => self.sensor(request, &id).await,
            Page::Deliveries => self.deliveries(request).await,
            Page::Quarantine => match whole(&request) {
                Err(refused) => refused,
                Ok(()) => {
                    self.draw(request, |state, scene, words| {
                        let rows = state.quarantine(PAGE_ROWS + 1)?;
                        Ok(Some(board::quarantine::draw(scene, &rows, words)))
                    })
                    .await
                }
            },
            Page::Nowhere => self.missing(request).await,
            Page::Help => {
                self.draw(request, |_, scene, words| Ok(Some(board::help::draw(scene, words)))).await
            }
        }
    }

    async fn home(&self, request: Request) -> Drawn {
        self.draw(request, |state, scene, words| {
            let plan = &scene.setup.plan;
            let by_hand = state.standing_by_hand(BY_HAND_MAX)?;
            let by_hand = by_hand.into_iter().map(|row| row.newest);
            let by_hand: Vec<_> = by_hand.filter(|newest| may_see(scene, &newest.about)).collect();
            let mut standing = board::home::worst(scene, &by_hand);
            for it in &mut standing {
                // Who has seen it is worth showing, and not worth failing for.
                it.seen = state.seen(&it.newest.warning).ok().map(|seen| counted(plan, &seen));
            }
            Ok(Some(board::home::draw(scene, &standing, &by_hand, words)))
        })
        .await
    }

    async fn warnings(&self, request: Request, list: List) -> Drawn {
        let which = board::warnings::Which::parse(&list.which);
        let page = list.page.parse().unwrap_or(1).clamp(1, PAGES_MAX);
        self.draw(request, move |state, scene, words| {
            let upto = page * PAGE_ROWS + 1;
            let rows = match which {
                board::warnings::Which::Standing => state.active_warnings(upto)?,
                board::warnings::Which::All => state.recent_warnings(upto)?,
            };
            let rows = rows.into_iter().skip((page - 1) * PAGE_ROWS);
            let rows: Vec<_> = rows.filter(|row| may_see(scene, &row.newest.about)).collect();
            Ok(Some(board::warnings::draw(scene, &rows, which, page, words)))
        })
        .await
    }

    async fn warning(&self, request: Request, id: &str) -> Drawn {
        let Some(found) = self.detail(id).await else { return self.missing(request).await };
        let plan = request.setup.plan.clone();
        if let Some(newest) = found.revisions.last()
            && let Err(refused) = check(&request.asked.caller, Role::Viewer, &newest.about, &plan)
        {
            return Drawn::Refused(refused);
        }
        let worst =
            board::warning::measured(&found).and_then(|it| Some((it.evidence.first()?.sensor, it.sent)));
        let readings = match worst {
            Some((sensor, sent)) => {
                let to = if found.ended { sent } else { request.sight.look.civil() };
                self.hours_before(sensor, to).await
            }
            None => None,
        };
        self.draw(request, move |state, scene, words| {
            let warning = found.revisions.last().map(|newest| newest.warning);
            let seen = warning.map(|warning| state.seen(&warning)).transpose()?;
            let seen = seen.map_or(Seen { by: 0, of: 0 }, |seen| counted(&scene.setup.plan, &seen));
            Ok(board::warning::draw(scene, &board::warning::Shown { detail: found, seen, readings }, words))
        })
        .await
    }

    async fn sensor(&self, request: Request, id: &str) -> Drawn {
        let plan = request.sight.look.engine.plan().clone();
        let Some(sensor) = board::sensor::find(&plan, id) else { return self.missing(request).await };
        let area = plan.sensor(sensor).and_then(|it| plan.station(it.station)).map(|station| station.area);
        let areas: Vec<_> = area.into_iter().collect();
        if let Err(refused) = request.asked.caller.check(Role::Viewer, Ground::Areas(&areas), &plan) {
            return Drawn::Refused(refused);
        }
        let readings = self.hours_before(sensor, request.sight.look.civil()).await;
        self.draw(request, move |_, scene, words| {
            Ok(board::sensor::draw(scene, sensor, readings.as_deref(), words))
        })
        .await
    }

    async fn deliveries(&self, request: Request) -> Drawn {
        self.draw(request, |state, scene, words| {
            let mut shown = board::deliveries::Shown {
                waiting: state.outstanding_deliveries(PAGE_ROWS + 1)?,
                dead: state.dead_letters(PAGE_ROWS + 1)?,
                recent: state.recent_deliveries(RECENT_WARNINGS, PAGE_ROWS)?,
            };
            if !scene.is_everywhere() {
                let engine = &scene.sight.look.engine;
                for rows in [&mut shown.waiting, &mut shown.dead, &mut shown.recent] {
                    rows.retain(|row| engine.newest(row.warning).is_some_and(|it| may_see(scene, &it.about)));
                }
            }
            Ok(Some(board::deliveries::draw(scene, &shown, words)))
        })
        .await
    }

    async fn missing(&self, request: Request) -> Drawn {
        match self.draw(request, |_, _, _| Ok(Some(board::missing::draw()))).await {
            Drawn::Page(page) => Drawn::Missing(page),
            other => other,
        }
    }

    /// Draws a page where waiting for the disk holds up nobody.
    async fn draw(
        &self,
        request: Request,
        draw: impl FnOnce(&StateReader, &Scene<'_>, &Words) -> Result<Option<Draft>, StateError> + Send + 'static,
    ) -> Drawn {
        let (state, maker) = (self.parts.state.clone(), self.maker.clone());
        let drawn = tokio::task::spawn_blocking(move || {
            let scene = Scene {
                setup: &request.setup,
                language: &request.language,
                sight: &request.sight,
                visitor: &request.visitor,
                place: &request.asked.place,
                done: request.asked.done.map(crate::http::board::Done::word),
            };
            maker.page(&scene, |words| draw(&state, &scene, words).map_err(anyhow::Error::from))
        });
        match drawn.await {
            Ok(Ok(Some(page))) => Drawn::Page(page),
            Ok(Err(error)) => {
                tracing::error!(%error, "a page of the board cannot be drawn");
                Drawn::Later
            }
            Ok(Ok(None)) | Err(_) => Drawn::Later,
        }
    }

    async fn detail(&self, id: &str) -> Option<WarningDetail> {
        let (key, state) = (Key::parse(id)?, self.parts.state.clone());
        match tokio::task::spawn_blocking(move || state.warning(key)).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => {
                tracing::warn!(%error, "a warning cannot be read");
                None
            }
            Err(_) => None,
        }
    }

    async fn hours_before(&self, sensor: SensorIx, to: Timestamp) -> Option<Vec<Kept>> {
        let from = to - Span::from_hours(HOURS);
        self.parts.history.recent(sensor, from, to + Span::from_secs(1)).await
    }
}

fn visitor(caller: &Caller) -> Visitor {
    Visitor {
        name: caller.holder.name.clone(),
        acts: if caller.authority.role >= Role::Operator { Acts::Yes } else { Acts::No },
        authority: caller.authority.clone(),
        token: caller.form_token().unwrap_or_default(),
    }
}

fn counted(plan: &Plan, (told, acknowledged): &crate::state::Told) -> Seen {
    Seen {
        by: plan.contacts(acknowledged.iter().map(|(target, _)| *target)),
        of: plan.contacts(told.iter().copied()),
    }
}

/// Whether somebody may, on what a warning is about.
fn check(caller: &Caller, least: Role, about: &About, plan: &Plan) -> Result<(), crate::http::Problem> {
    let areas: Vec<AreaIx> = about.cells().iter().map(|cell| cell.area).collect();
    caller.check(least, if areas.is_empty() { Ground::Service } else { Ground::Areas(&areas) }, plan)
}

fn may_see(scene: &Scene<'_>, about: &About) -> bool {
    let cells = about.cells();
    if cells.is_empty() { scene.is_everywhere() } else { cells.iter().all(|cell| scene.covers(cell.area)) }
}

/// What is of the service as a whole is for those who may see all of it.
fn whole(request: &Request) -> Result<(), Drawn> {
    let caller = &request.asked.caller;
    caller.check(Role::Viewer, Ground::Service, &request.setup.plan).map_err(Drawn::Refused)
}

impl Board for Boards {
    fn page(&self, asked: Asked) -> Drawing<'_> {
        Box::pin(self.drawn(asked))
    }

    fn order<'a>(&'a self, caller: &'a Caller, order: Order) -> Ordering<'a> {
        Box::pin(self.ordered(caller, order))
    }

    fn word(&self, heard: Heard) -> Waiting<'_> {
        Box::pin(self.next_word(heard))
    }
}
