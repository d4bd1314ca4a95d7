//! `forewarn run`: the service, until a signal or its control socket stops it.

use std::io::{self, IsTerminal, Write};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
use tracing_subscriber::EnvFilter;

use super::args::{LogFormat, Places, RunArgs};
use super::beside::{MARK, command};
use super::marked::{Marked, Shape};
use super::{Exit, Surroundings};
use crate::app::desk::Orphan;
use crate::app::service::{Options, Service, Timekeeping};
use crate::app::systemd;
use crate::config::Purpose;
use crate::config::fault::Faults;

/// Runs it, and says how it ended.
pub(super) fn run(args: &RunArgs, around: &mut Surroundings<'_>) -> io::Result<Exit> {
    trace(args.log_format, args.places.purpose());
    let options = Options {
        config: args.places.config.clone(),
        data: args.places.data.clone(),
        purpose: args.places.purpose(),
        time: Timekeeping::System,
    };
    // Every TLS of the process uses it; one that stands already (a test's) is the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match runtime.block_on(serve(options, &args.places, around.out)) {
        Ok(exit) => Ok(exit),
        Err(error) => {
            let is_fault = error.downcast_ref::<Faults>().is_some();
            writeln!(around.err, "{error:#}")?;
            Ok(if is_fault { Exit::Fault } else { Exit::Failed })
        }
    }
}

async fn serve(options: Options, places: &Places, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let (mut hangup, mut interrupt, mut terminate) =
        (signal(SignalKind::hangup())?, signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let service = Service::start(options).await?;
    // Whoever started us may have closed our output; the service runs all the same.
    let _ = greet(&service, places, out);
    systemd::ready(&service.setup().plan.settings.site);
    let lives = CancellationToken::new();
    systemd::keep_watch(service.pulse(), service.lives(), lives.clone());
    let desk = service.desk().clone();
    let exit = loop {
        tokio::select! {
            _ = hangup.recv() => {
                // Beside the wait for signals: a reload may wait for room on the disk.
                let desk = desk.clone();
                tokio::spawn(async move {
                    if let Err(faults) = desk.reload(Orphan::Refuse).await {
                        faults.iter().for_each(|fault| error!(fault, "configuration"));
                    }
                });
            }
            _ = interrupt.recv() => break Exit::Done,
            _ = terminate.recv() => break Exit::Done,
            () = desk.asked_to_stop() => break Exit::Done,
            () = service.driver_ended() => {
                // Without it nothing is judged, and silence would be taken for safety.
                error!("the driver ended by itself: stopping, so that whoever watches starts it anew");
                break Exit::Failed;
            }
        }
    };
    info!("stopping");
    systemd::stopping();
    let stopped = service.stop().await;
    lives.cancel();
    if stopped.undelivered > 0 {
        info!(stopped.undelivered, "deliveries are left; the next start goes on with them");
    }
    Ok(exit)
}

/// Says that it runs, whether it is held, where it listens, and how it is stopped.
fn greet(service: &Service, places: &Places, out: &mut dyn Write) -> io::Result<()> {
    let (setup, pid) = (service.setup(), std::process::id());
    if places.drill {
        writeln!(
            out,
            "{MARK} a drill: nothing here reaches a live contact that is not marked as taking part"
        )?;
    }
    writeln!(out, "{} is running, process {pid}", setup.plan.settings.site)?;
    for (what, address) in [("MQTT", service.mqtt_addr()), ("MQTT, TLS", service.mqtt_tls_addr())] {
        if let Some(address) = address {
            writeln!(out, "  {what:<10} {address}")?;
        }
    }
    writeln!(out, "  {:<10} http://{}", "HTTP", service.http_addr())?;
    writeln!(out, "  {:<10} {}", "data", setup.data.display())?;
    writeln!(out, "  {:<10} kill -HUP {pid}, or {}", "reload", command(places, "reload"))?;
    writeln!(out, "  {:<10} Ctrl-C, or {}", "stop", command(places, "stop"))?;
    if let Ok(Some(token)) = service.first_token() {
        let site = setup.url.clone().unwrap_or_else(|| format!("http://{}", service.http_addr()));
        writeln!(
            out,
            "  {:<10} there is no account yet: make the first administrator within a day at {site}/setup with\n  \
             {:<10} {}",
            "ACCOUNTS",
            "",
            token.expose()
        )?;
    }
    if service.picture().borrow().held {
        writeln!(
            out,
            "  {:<10} this data directory was restored or copied: it judges, and sends nothing but trouble, until\n  \
             {:<10} {}",
            "HELD",
            "",
            command(places, "resume")
        )?;
    }
    if let Some(before) = service.desk().upgraded_from() {
        writeln!(
            out,
            "  {:<10} from {}: its last snapshot and the log since are kept for the way back, until\n  {:<10} {}",
            "UPGRADED",
            before.named(),
            "",
            command(places, "confirm-upgrade")
        )?;
    }
    out.flush()
}

/// To standard error: for people on a terminal, a line of JSON an event where asked.
fn trace(format: LogFormat, purpose: Purpose) {
    let filter = EnvFilter::try_from_env("FOREWARN_LOG")
        .or_else(|_| EnvFilter::try_from_default_env())
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let to = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // A subscriber that stands already (a test's) is as good.
    let _ = match format {
        LogFormat::Text => to
            .with_ansi(io::stderr().is_terminal())
            .map_event_format(|format| Marked { format, purpose, shape: Shape::Text })
            .try_init(),
        LogFormat::Json => {
            to.json().map_event_format(|format| Marked { format, purpose, shape: Shape::Json }).try_init()
        }
    };
}
