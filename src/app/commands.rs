//! What programs and pages command: understood, allowed, carried out by the
//! desk. Whether somebody may is looked at here to say why not; what counts is
//! what the step finds.

use std::time::Duration;

use bytes::Bytes;
use forewarn_core::authority::{Ground, Role};
use forewarn_core::ids::{AreaIx, Key};
use forewarn_core::orders::Refusal;
use schemars::JsonSchema;
use serde::Deserialize;

use super::control::Response;
use super::desk::Desk;
use super::orders::{Order, Undone};
use crate::http::Problem;
use crate::http::api::{DoneView, document};
use crate::http::caller::Caller;

/// What may be commanded.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Asked {
    /// Acknowledge a warning for a contact who was told of it.
    Acknowledge {
        /// The warning's id, whole.
        warning: String,
        /// The contact's id.
        contact: String,
    },
    /// Send a dead delivery's warning again, in a new round.
    Resend {
        /// The delivery's key.
        key: String,
    },
    /// Send a test of notification, in Exercise status.
    NotifyTest {
        /// The contacts, by id; neither contact nor target means the operator.
        #[serde(default)]
        contacts: Vec<String>,
        /// Single targets, by opaque id.
        #[serde(default)]
        targets: Vec<String>,
        /// Words to go with it.
        #[serde(default)]
        note: String,
    },
    /// Order something: a warning by hand, its approval, a mute, a correction, an end, a note.
    Order {
        /// What.
        order: Order,
    },
}

/// The description of the whole API, as it is served.
pub fn described() -> Bytes {
    document::<Asked>().to_string().into()
}

impl Desk {
    /// Carries out what somebody commands.
    pub(super) async fn commanded(&self, body: &[u8], caller: &Caller) -> Result<DoneView, Problem> {
        // Nobody below may command anything, and of them nothing is read.
        caller.require(Role::Operator)?;
        let asked: Asked =
            serde_json::from_slice(body).map_err(|error| Problem::bad_body(error.to_string()))?;
        let by = caller.by();
        let response = match asked {
            Asked::Acknowledge { warning, contact } => {
                self.allow(caller, self.warning_areas(&warning)?.as_deref())?;
                self.acknowledge(&warning, &contact, by).await
            }
            Asked::Resend { key } => {
                self.allow(caller, self.delivery_areas(&key)?.as_deref())?;
                self.resend(&key, by).await
            }
            Asked::NotifyTest { contacts, targets, note } => {
                self.allow(caller, None)?;
                self.notify_test(&contacts, &targets, note, Duration::ZERO, by).await
            }
            Asked::Order { order } => match self.order(&order, by).await {
                Ok(done) => Response::done(done.sentence()),
                Err(Undone::Refused(Refusal::Denied(denied))) => return Err(caller.denied(denied)),
                Err(Undone::Stopping | Undone::Unreadable(_)) => return Err(Problem::later()),
                Err(undone @ (Undone::Refused(_) | Undone::Unknown(_) | Undone::Quarantined)) => {
                    Response::refused(undone.sentence())
                }
            },
        };
        let Response { done, lines } = response;
        if done { Ok(DoneView { done, lines }) } else { Err(Problem::not_done(&lines)) }
    }

    /// `None` is about the service as a whole.
    fn allow(&self, caller: &Caller, areas: Option<&[AreaIx]>) -> Result<(), Problem> {
        let plan = self.plan();
        let ground = areas.map_or(Ground::Service, Ground::Areas);
        caller.check(Role::Operator, ground, &plan)
    }

    fn warning_areas(&self, id: &str) -> Result<Option<Vec<AreaIx>>, Problem> {
        let found = Key::parse(id).map(|key| self.state().warning_areas(key)).transpose();
        let found = found.map_err(|_| Problem::later())?.flatten();
        let areas = found.ok_or_else(|| Problem::no_such("warning", id))?;
        Ok((!areas.is_empty()).then_some(areas))
    }

    fn delivery_areas(&self, id: &str) -> Result<Option<Vec<AreaIx>>, Problem> {
        let key = Key::parse(id).ok_or_else(|| Problem::no_such("delivery", id))?;
        let warning = self.state().delivery_warning(key).map_err(|_| Problem::later())?;
        let warning = warning.ok_or_else(|| Problem::no_such("delivery", id))?;
        self.warning_areas(&warning.to_string())
    }
}
