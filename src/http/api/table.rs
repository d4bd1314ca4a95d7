//! Every path of the API, once: the router and the description are both made
//! of this table, so that neither has what the other lacks.

mod published;

use axum::routing::{MethodRouter, get, post};
use forewarn_core::authority::Role;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::asked::{LIMIT_MAX, Page};
use super::{DoneView, events, read, write};
use crate::http::{Doors, Readiness, health, readings, reload, scrape};
use crate::views::{
    DeliveryView, DraftView, IncidentView, MuteView, NoteView, QuarantineView, QuarantinedView, ReadingView,
    SensorDetailView, SensorView, StatusView, TroubleView, WarningDetailView, WarningView,
};

/// One path.
pub(in crate::http) struct Route {
    pub(in crate::http) path: &'static str,
    pub(in crate::http) handler: MethodRouter<Doors>,
    pub(super) operation: Operation,
}

/// One thing that can be asked, as it is described.
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) says: &'static str,
    pub(super) opens: Opens,
    pub(super) queries: Vec<Query>,
    pub(super) body: Option<(&'static str, Schema)>,
    pub(super) answer: Answer,
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opens {
    /// Whoever reaches the server.
    Anyone,
    /// An integrator's token of `http.tokens`.
    Integrator,
    /// `http.operator_token`, or an administrator.
    Operator,
    /// An account or token with at least this role.
    Role(Role),
}

/// What is answered.
pub(super) enum Answer {
    Json(Schema),
    Text(&'static str),
    Nothing,
}

/// A part of the query.
#[derive(Debug, Clone, Copy)]
pub(super) struct Query {
    pub(super) name: &'static str,
    pub(super) says: &'static str,
    pub(super) number: bool,
}

/// Makes schemas of what is answered, and of what is taken.
pub(super) struct Schemas {
    pub(super) answers: SchemaGenerator,
    pub(super) bodies: SchemaGenerator,
}

impl Schemas {
    pub(super) fn new() -> Schemas {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        Schemas { answers: settings().for_serialize().into_generator(), bodies: settings().into_generator() }
    }

    fn json<T: JsonSchema>(&mut self) -> Answer {
        Answer::Json(self.answers.subschema_for::<T>())
    }
}

const fn text(name: &'static str, says: &'static str) -> Query {
    Query { name, says, number: false }
}

const AREA: Query = text("area", "Id of an area; what lies in it counts as well.");
const AFTER: Query = text("after", "What the page before gave as `next`.");
const LIMIT: Query =
    Query { name: "limit", says: "How many at most, 1 to 500; 50 if left out.", number: true };
const _: () = assert!(LIMIT_MAX == 500, "the words above say so");

fn looked(
    id: &'static str,
    summary: &'static str,
    says: &'static str,
    queries: &[Query],
    answer: Answer,
) -> Operation {
    Operation {
        method: "get",
        id,
        summary,
        says,
        opens: Opens::Role(Role::Viewer),
        queries: queries.to_vec(),
        body: None,
        answer,
    }
}

/// All paths; `C` is what commands look like.
pub(in crate::http) fn table<C: JsonSchema>() -> Vec<Route> {
    described::<C>(&mut Schemas::new())
}

/// The same, with schemas that the caller keeps.
pub(super) fn described<C: JsonSchema>(schemas: &mut Schemas) -> Vec<Route> {
    let mut routes = warnings(schemas);
    routes.extend(published::published());
    routes.extend(orders(schemas));
    routes.extend(service(schemas));
    routes.extend(sensors(schemas));
    routes.extend(changes::<C>(schemas));
    routes.extend(open(schemas));
    routes
}

fn warnings(schemas: &mut Schemas) -> Vec<Route> {
    vec![
        Route {
            path: "/api/v1/warnings",
            handler: get(read::warnings),
            operation: looked(
                "listWarnings",
                "Warnings, newest revision first",
                "What is about the service itself is shown to those whose role holds everywhere.",
                &[
                    AREA,
                    text("hazard", "A hazard."),
                    text("state", "`standing` or `ended`."),
                    text("level", "This level or above: `blue`, `yellow`, `orange`, `red`."),
                    text("status", "`Actual`, `Exercise` or `Test`."),
                    AFTER,
                    LIMIT,
                ],
                schemas.json::<Page<WarningView>>(),
            ),
        },
        Route {
            path: "/api/v1/warnings/{id}",
            handler: get(read::warning),
            operation: looked(
                "showWarning",
                "One warning: revisions, evidence, deliveries, acknowledgements",
                "",
                &[],
                schemas.json::<WarningDetailView>(),
            ),
        },
        Route {
            path: "/api/v1/incidents",
            handler: get(read::incidents),
            operation: looked(
                "listIncidents",
                "Incidents that stand, the highest level first",
                "",
                &[AREA],
                schemas.json::<Page<IncidentView>>(),
            ),
        },
        Route {
            path: "/api/v1/deliveries",
            handler: get(read::deliveries),
            operation: looked(
                "listDeliveries",
                "Deliveries, newest first",
                "",
                &[AREA, text("state", "`queued`, `accepted`, `superseded` or `dead`."), AFTER, LIMIT],
                schemas.json::<Page<DeliveryView>>(),
            ),
        },
    ]
}

fn orders(schemas: &mut Schemas) -> Vec<Route> {
    vec![
        Route {
            path: "/api/v1/mutes",
            handler: get(read::mutes),
            operation: looked(
                "listMutes",
                "Mutes and windows of maintenance, newest first",
                "What is nobody's area alone is shown to those whose role holds everywhere.",
                &[AREA, LIMIT],
                schemas.json::<Page<MuteView>>(),
            ),
        },
        Route {
            path: "/api/v1/drafts",
            handler: get(read::drafts),
            operation: looked(
                "listDrafts",
                "What one person proposed and another must approve, newest first",
                "",
                &[AREA, LIMIT],
                schemas.json::<Page<DraftView>>(),
            ),
        },
        Route {
            path: "/api/v1/notes",
            handler: get(read::notes),
            operation: looked(
                "listNotes",
                "What shifts left for each other, newest first",
                "For those whose role holds everywhere.",
                &[AFTER, LIMIT],
                schemas.json::<Page<NoteView>>(),
            ),
        },
    ]
}

fn service(schemas: &mut Schemas) -> Vec<Route> {
    vec![
        Route {
            path: "/api/v1/status",
            handler: get(read::status),
            operation: looked("status", "How the service is", "", &[], schemas.json::<StatusView>()),
        },
        Route {
            path: "/api/v1/quarantine",
            handler: get(read::quarantine),
            operation: looked(
                "listQuarantine",
                "What came in and was not understood, newest first",
                "For those whose role holds everywhere: nobody knows whose it is.",
                &[AFTER, LIMIT],
                schemas.json::<Page<QuarantineView>>(),
            ),
        },
        Route {
            path: "/api/v1/quarantine/{id}",
            handler: get(read::quarantined),
            operation: looked(
                "showQuarantined",
                "One message in quarantine, with its bytes",
                "For those whose role holds everywhere.",
                &[],
                schemas.json::<QuarantinedView>(),
            ),
        },
        Route {
            path: "/api/v1/troubles",
            handler: get(read::troubles),
            operation: looked(
                "listTroubles",
                "What the operator must know, oldest first",
                "For those whose role holds everywhere.",
                &[],
                schemas.json::<Page<TroubleView>>(),
            ),
        },
        Route {
            path: "/api/v1/events",
            handler: get(events::follow),
            operation: Operation {
                answer: Answer::Text("text/event-stream"),
                ..looked(
                    "followEvents",
                    "What happens, as it happens: server-sent events",
                    events::SAYS,
                    &[text("after", "As the header `Last-Event-ID`, for programs that cannot send it.")],
                    Answer::Nothing,
                )
            },
        },
    ]
}

fn sensors(schemas: &mut Schemas) -> Vec<Route> {
    vec![
        Route {
            path: "/api/v1/sensors",
            handler: get(read::sensors),
            operation: looked(
                "listSensors",
                "Sensors: newest reading, state and level",
                "",
                &[
                    AREA,
                    text("search", "A part of the id."),
                    text(
                        "state",
                        "`reporting`, `late`, `silent`, `cut-off`, `maintenance`, `awaited` or `never`.",
                    ),
                    AFTER,
                    LIMIT,
                ],
                schemas.json::<Page<SensorView>>(),
            ),
        },
        Route {
            path: "/api/v1/sensors/{station}/{quantity}",
            handler: get(read::sensor),
            operation: looked(
                "showSensor",
                "One sensor, with what its rules say",
                "",
                &[],
                schemas.json::<SensorDetailView>(),
            ),
        },
        Route {
            path: "/api/v1/sensors/{station}/{quantity}/readings",
            handler: get(read::readings),
            operation: looked(
                "listReadings",
                "Readings of a sensor, oldest first",
                "Of more than `limit` the newest; `next` is then what to give as `to` for those before.",
                &[
                    text("from", "From when, as RFC 3339; a day before `to` if left out."),
                    text("to", "To when, not included; now if left out."),
                    Query {
                        name: "limit",
                        says: "How many at most, 1 to 10000; 1000 if left out.",
                        number: true,
                    },
                ],
                schemas.json::<Page<ReadingView>>(),
            ),
        },
    ]
}

const _: () = assert!(read::READINGS_MAX == 10_000, "the words above say so");

fn posted(id: &'static str, summary: &'static str, says: &'static str, opens: Opens) -> Operation {
    Operation {
        method: "post",
        id,
        summary,
        says,
        opens,
        queries: vec![],
        body: None,
        answer: Answer::Nothing,
    }
}

fn changes<C: JsonSchema>(schemas: &mut Schemas) -> Vec<Route> {
    vec![
        Route {
            path: "/api/v1/commands",
            handler: post(write::command),
            operation: Operation {
                body: Some(("application/json", schemas.bodies.subschema_for::<C>())),
                answer: schemas.json::<DoneView>(),
                ..posted(
                    "command",
                    "Acknowledge, send again, test, and every order: drafts, approvals, mutes, corrections, ends, notes",
                    "Answered once it is durable. What needs which role stands in docs/accounts.md.",
                    Opens::Role(Role::Operator),
                )
            },
        },
        Route {
            path: "/api/v1/readings",
            handler: post(readings::json),
            operation: Operation {
                body: Some(("application/json", schemars::json_schema!(true))),
                ..posted(
                    "postReadings",
                    "Readings in, in the source's own shape",
                    "204 once they are durable. With `Idempotency-Key`, a repeat counts once.",
                    Opens::Integrator,
                )
            },
        },
        Route {
            path: "/api/v2/write",
            handler: post(readings::write),
            operation: Operation {
                queries: vec![text("precision", "`ns`, `us`, `ms` or `s`.")],
                body: Some(("text/plain", schemars::json_schema!({ "type": "string" }))),
                ..posted(
                    "writeLineProtocol",
                    "Readings in, as line protocol of InfluxDB 2",
                    "204 once they are durable.",
                    Opens::Integrator,
                )
            },
        },
        Route {
            path: "/api/v1/reload",
            handler: post(reload),
            operation: Operation {
                answer: Answer::Text("text/plain"),
                ..posted("reload", "Read the configuration again", "All of it or nothing.", Opens::Operator)
            },
        },
    ]
}

fn open(schemas: &mut Schemas) -> Vec<Route> {
    let anyone =
        |id, summary, answer| Operation { opens: Opens::Anyone, ..looked(id, summary, "", &[], answer) };
    vec![
        Route {
            path: "/healthz",
            handler: get(health::alive),
            operation: anyone("alive", "Whether the process serves", Answer::Text("text/plain")),
        },
        Route {
            path: "/readyz",
            handler: get(health::ready),
            operation: anyone(
                "ready",
                "Whether readings are taken and judged; 503 where not",
                schemas.json::<Readiness>(),
            ),
        },
        Route {
            path: "/metrics",
            handler: get(scrape),
            operation: anyone("metrics", "Metrics, as Prometheus reads them", Answer::Text("text/plain")),
        },
        Route {
            path: "/api/openapi.json",
            handler: get(super::page::document),
            operation: anyone(
                "document",
                "This description",
                Answer::Json(schemars::json_schema!({ "type": "object" })),
            ),
        },
    ]
}
