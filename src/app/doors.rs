//! What the HTTP server needs of the rest of the house, put together.

use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

use super::answers::Answerer;
use super::backbone::{Followers, Judging};
use super::board::{self, Boards};
use super::clocks::Civil;
use super::commands;
use super::desk::Desk;
use super::pages::DeliveryPages;
use crate::accounts::Accounts;
use crate::cap::Shelf;
use crate::channels::page;
use crate::http::{self, Doors};
use crate::link::Links;
use crate::ports::Current;

/// What they are made of.
pub(super) struct Parts<'a> {
    pub(super) current: &'a Current,
    pub(super) judging: &'a Judging,
    pub(super) followers: &'a Followers,
    pub(super) desk: &'a Arc<Desk>,
    pub(super) civil: Arc<Civil>,
    pub(super) links: Links,
    pub(super) accounts: Arc<Accounts>,
    pub(super) hub: Arc<http::api::Hub>,
    pub(super) shelf: Arc<Shelf>,
    pub(super) shutdown: CancellationToken,
    pub(super) metrics: PrometheusHandle,
}

pub(super) fn open(parts: Parts<'_>) -> Doors {
    let Parts { current, judging, followers, desk, civil, links, accounts, hub, shelf, shutdown, metrics } =
        parts;
    Doors {
        current: current.clone(),
        inbox: judging.inbox.clone(),
        civil: civil.clone(),
        health: desk.clone(),
        reload: desk.clone(),
        pages: Arc::new(DeliveryPages {
            links,
            current: current.clone(),
            state: followers.archive.clone(),
            inbox: judging.inbox.clone(),
            projected: followers.state.position(),
            maker: page::Pages::default(),
        }),
        board: Arc::new(Boards::new(board::Parts {
            current: current.clone(),
            state: followers.archive.clone(),
            inbox: judging.inbox.clone(),
            history: followers.stores.history(),
            civil: civil.clone(),
            picture: judging.picture.clone(),
            pulse: judging.pulse.clone(),
            projected: followers.state.position(),
            shutdown,
        })),
        api: Arc::new(http::api::Api {
            answers: Arc::new(Answerer {
                desk: desk.clone(),
                inbox: judging.inbox.clone(),
                picture: judging.picture.clone(),
                state: followers.archive.clone(),
                history: followers.stores.history(),
                civil: civil.clone(),
            }),
            hub,
            document: commands::described(),
        }),
        keys: Arc::new(http::Keys::new(accounts)),
        alerts: http::Alerts::new(shelf, judging.reader.id()),
        trail: followers.audit.door(),
        metrics,
    }
}
