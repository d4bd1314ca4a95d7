//! The paths at which warnings are published: CAP alerts, and their feed.

use axum::routing::get;

use super::{Answer, Route, looked};
use crate::cap::{feed, xml};
use crate::http::cap;

/// Who may read, and how to ask again.
const READERS: &str = "With `cap.public`, anybody may read what was published as public. With `If-None-Match`, 304 \
                       where it is as it was.";

pub(super) fn published() -> Vec<Route> {
    vec![
        Route {
            path: feed::PATH,
            handler: get(cap::feed),
            operation: looked(
                "feed",
                "The feed of CAP alerts, as Atom",
                READERS,
                &[],
                Answer::Text(feed::FEED_TYPE),
            ),
        },
        Route {
            path: "/cap/{id}",
            handler: get(cap::newest),
            operation: looked(
                "newestAlert",
                "The newest CAP alert of a warning: its id and `.xml`",
                READERS,
                &[],
                Answer::Text(xml::MEDIA_TYPE),
            ),
        },
        Route {
            path: "/cap/{id}/{number}",
            handler: get(cap::numbered),
            operation: looked(
                "alert",
                "The CAP alert of one revision: its number and `.xml`",
                READERS,
                &[],
                Answer::Text(xml::MEDIA_TYPE),
            ),
        },
    ]
}
