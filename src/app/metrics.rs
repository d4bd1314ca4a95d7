//! The recorder of metrics: one a process, however many services run in it.

use std::sync::OnceLock;
use std::time::Duration;

use crate::courier::{self, GATHERED_MAX, OUTSTANDING_MAX, RED_MAX};
use crate::driver::inbox::{CONTROL_MAX, READINGS_MAX};
use crate::ingest::listener::Reason;
use crate::ingest::mqtt::BACKLOG_MAX;
use crate::state::{self, NOTES_MAX, REACH_WITHIN};
use crate::stores::QUESTIONS_MAX;

use forewarn_core::time::Span;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;

/// Counters without labels: there from the start, at nought, so that a rise
/// from nothing is seen as one. `tests/service/http.rs` holds this against `docs/metrics.md`.
const COUNTERS: [&str; 22] = [
    "forewarn_listener_messages_total",
    "forewarn_http_refused_total",
    "forewarn_cap_alerts_total",
    "forewarn_cap_withheld_total",
    "forewarn_cap_failures_total",
    "forewarn_audit_dropped_total",
    "forewarn_audit_faults_total",
    "forewarn_event_readers_dropped_total",
    "forewarn_http_full_total",
    "forewarn_looks_dropped_total",
    "forewarn_courier_digests_total",
    "forewarn_courier_notes_dropped_total",
    "forewarn_courier_log_faults_total",
    "forewarn_courier_log_full_total",
    "forewarn_courier_overflows_total",
    "forewarn_state_failures_total",
    "forewarn_state_log_faults_total",
    "forewarn_store_rotten_chunks_total",
    "forewarn_store_questions_dropped_total",
    "forewarn_poison_inputs_total",
    "forewarn_readings_total",
    "forewarn_people_told_total",
];

/// Queues in memory whose bound stands in the code, with that bound.
const QUEUES: [(&str, usize); 10] = [
    ("inbox_readings", READINGS_MAX),
    ("inbox_control", CONTROL_MAX),
    ("courier", OUTSTANDING_MAX),
    ("courier_red", RED_MAX),
    ("courier_gathered", GATHERED_MAX),
    ("courier_records", courier::RECORDS_MAX),
    ("courier_notes", NOTES_MAX),
    ("state_records", state::RECORDS_MAX),
    ("store_questions", QUESTIONS_MAX),
    ("mqtt_acks", BACKLOG_MAX),
];

/// How often samples are counted.
const KEEP_UP_EVERY: Duration = Duration::from_secs(5);

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// Installs the recorder the first time, and gives the handle that renders it.
pub(super) fn install() -> PrometheusHandle {
    HANDLE
        .get_or_init(|| {
            let builder = PrometheusBuilder::new()
                .set_buckets(&[
                    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0,
                ])
                .expect("the list of buckets is not empty")
                .set_buckets_for_metric(
                    Matcher::Full("forewarn_acknowledgement_seconds".to_owned()),
                    &REACH_WITHIN.map(Span::as_secs_f64),
                )
                .expect("the list of times is not empty");
            let recorder = builder.build_recorder();
            let handle = recorder.handle();
            // Another recorder (a test's own) may stand already; then this one renders nothing.
            let _ = metrics::set_global_recorder(recorder);
            register();
            handle
        })
        .clone()
}

/// Counts what histograms have taken: the recorder keeps every sample until then,
/// and where nobody scrapes nothing else would.
pub(super) async fn keep_up(handle: PrometheusHandle, shutdown: CancellationToken) {
    let mut turn = tokio::time::interval(KEEP_UP_EVERY);
    while shutdown.run_until_cancelled(turn.tick()).await.is_some() {
        handle.run_upkeep();
    }
}

fn register() {
    for name in COUNTERS {
        drop(metrics::counter!(name));
    }
    for reason in Reason::ALL {
        drop(metrics::counter!("forewarn_listener_refused_total", "reason" => reason.label()));
    }
    drop(metrics::gauge!("forewarn_queue_items", "queue" => "store_questions"));
    for (queue, max) in QUEUES {
        metrics::gauge!("forewarn_queue_max", "queue" => queue).set(max as f64);
    }
}
