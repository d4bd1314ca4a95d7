//! `forewarn demo`: the whole service on embedded defaults, in Exercise status,
//! on the led clock. Hours pass in seconds, and yet exactly.

mod mailbox;
mod narrator;
mod player;
mod receiver;
mod story;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use forewarn_core::ids::Position;
use forewarn_core::level::Level;
use forewarn_core::time::Span;
use forewarn_core::warning::{About, Revision};

use self::mailbox::Mailbox;
use self::narrator::{Narrator, clock_word};
use self::player::{GATEWAY, Player};
use self::receiver::Receiver;
use self::story::{Expected, Story};
use super::service::{Options, Service, Timekeeping};
use crate::cli::Paint;
use crate::clock::Led;
use crate::config::Purpose;
use crate::config::secret::Secret;
use crate::config::targets::hex;
use crate::ingest::credentials;
use crate::log::{Identity, Lock, Stamp};
use crate::ports::Follow;

/// The world goes on for so long after the last reading, for what falls due by itself.
const AFTERWARDS: Span = Span::from_mins(10);

/// The file of the secret that signs webhooks, in the demo's configuration.
const WEBHOOK_SECRET: &str = "webhook-secret";

/// What to play, and where to leave what it makes.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// A recorded disaster, in place of the simulated flood.
    pub recording: Option<String>,
    /// Of the simulated flood; its own where none is given.
    pub seed: Option<u64>,
    /// Folder for configuration, data, mails and webhooks. Emptied first.
    pub folder: PathBuf,
}

/// How a demo ended.
#[derive(Debug)]
pub struct Outcome {
    /// Everything that was said.
    pub revisions: Vec<std::sync::Arc<Revision>>,
    /// Mails written.
    pub mails: usize,
    /// Webhooks that verified, and that did not.
    pub webhooks: (usize, usize),
    /// Deliveries without an outcome at the end.
    pub undelivered: usize,
    /// What the story's truth expects and did not happen, in words.
    pub missing: Vec<String>,
}

/// Plays a story and tells it to `out`.
pub async fn run(options: &DemoOptions, paint: Paint, out: &mut dyn Write) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    let story = match &options.recording {
        Some(name) => Story::recording(name)?,
        None => Story::river(options.seed)?,
    };
    let stage = Stage::set(&story, &options.folder).await?;
    writeln!(out, "{}", story.title)?;
    writeln!(out, "{}; everything here is an exercise, nobody is told.\n", story.source)?;

    let led = Led::new(story.start());
    let service = Service::start(Options {
        config: stage.config.clone(),
        data: Some(options.folder.join("data")),
        purpose: Purpose::Play,
        time: Timekeeping::Led(led.clone()),
    })
    .await?;
    let plan = service.setup().plan.clone();
    let mut narrator = Narrator::new(out, paint, plan.clone(), story.stations.clone());
    let mut telling = Telling { log: service.log().follow(Position(1))?, mailbox: stage.mailbox };
    let mut player = Player::connect(&service, led, &stage.gateway)?;

    let mut rest = story.sent.as_slice();
    let mut fault = Ok(());
    while let Some(first) = rest.first() {
        let (now, after) = rest.split_at(rest.partition_point(|sent| sent.at == first.at));
        player.move_to(first.at, &mut |_| keep_first(&mut fault, telling.tell(&mut narrator))).await?;
        player.publish(now).await?;
        telling.tell(&mut narrator)?;
        narrator.levels(first.at)?;
        rest = after;
    }
    let end = story.sent.last().map_or(story.start(), |sent| sent.at) + AFTERWARDS;
    player.move_to(end, &mut |_| keep_first(&mut fault, telling.tell(&mut narrator))).await?;
    telling.tell(&mut narrator)?;
    fault?;
    drop(player);
    let stopped = service.stop().await;

    let (revisions, mails, readings) = (narrator.revisions, narrator.mails.len(), narrator.readings);
    let missing =
        story.expected.iter().filter(|it| !happened(it, &revisions, &plan)).map(ToString::to_string);
    let outcome = Outcome {
        missing: missing.collect(),
        mails,
        webhooks: stage.receiver.counts(),
        undelivered: stopped.undelivered,
        revisions,
    };
    summary(out, paint, &outcome, readings, &options.folder)?;
    let (from, to) = (clock_word(&plan, story.start()), clock_word(&plan, end));
    let (zone, took) = (&plan.settings.zone, began.elapsed().as_secs_f64());
    writeln!(out, "World time {from} to {to} ({zone}), played in {took:.1} s.")?;
    Ok(outcome)
}

fn keep_first(first: &mut std::io::Result<()>, told: std::io::Result<()>) {
    if first.is_ok() {
        *first = told;
    }
}

/// What a demo needs around the service.
struct Stage {
    config: PathBuf,
    mailbox: Mailbox,
    receiver: Receiver,
    gateway: Secret,
}

impl Stage {
    async fn set(story: &Story, folder: &Path) -> anyhow::Result<Stage> {
        clear(folder)?;
        let config = folder.join("config");
        std::fs::create_dir_all(&config).with_context(|| config.display().to_string())?;
        let (webhook_secret, _) = credentials::generate().context("the system gives no random numbers")?;
        write_private(&config.join(WEBHOOK_SECRET), webhook_secret.expose())?;
        let mailbox = Mailbox::start(&folder.join("mailbox")).await?;
        let receiver = Receiver::start(&folder.join("webhooks"), webhook_secret).await?;
        story.write_config(
            &config,
            &[
                ("mail_port", mailbox.port().to_string()),
                ("secret", WEBHOOK_SECRET.to_owned()),
                ("webhook", receiver.url()),
            ],
        )?;
        let (gateway, sha256) = credentials::generate().context("the system gives no random numbers")?;
        let devices = format!(
            "identity,stations,secret_sha256\n{GATEWAY},{},{}\n",
            story.stations.join(";"),
            hex(&sha256)
        );
        std::fs::write(config.join("devices.csv"), devices)?;
        Ok(Stage { config, mailbox, receiver, gateway })
    }
}

/// Empties what an earlier demo left; where anything else stands, it is not ours to remove.
fn clear(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    if std::fs::read_dir(folder)?.next().is_none() {
        return Ok(());
    }
    let data = folder.join("data");
    let is_ours = folder.join("mailbox").is_dir()
        && folder.join("webhooks").is_dir()
        && Identity::of(&data).is_ok_and(|log| log.stamp == Stamp::Drill);
    if !is_ours {
        anyhow::bail!(
            "{} is not empty and not the folder of an earlier demo, expected a new one: give another with --data DIR",
            folder.display()
        );
    }
    // Another demo may be at work there.
    drop(Lock::take(&data)?);
    for name in ["config", "data", "mailbox", "webhooks"] {
        let path = folder.join(name);
        match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| path.display().to_string());
            }
            _ => {}
        }
    }
    Ok(())
}

fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;

    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| path.display().to_string())?;
    Ok(file.write_all(text.as_bytes())?)
}

/// Brings what happened since the last stop to the narrator.
struct Telling {
    log: crate::log::Follower,
    mailbox: Mailbox,
}

impl Telling {
    fn tell(&mut self, narrator: &mut Narrator<'_>) -> std::io::Result<()> {
        while let Some(record) = self.log.try_next() {
            narrator.record(&record)?;
        }
        narrator.mails(self.mailbox.drain())
    }
}

fn happened(
    expected: &Expected,
    revisions: &[std::sync::Arc<Revision>],
    plan: &forewarn_core::plan::Plan,
) -> bool {
    revisions.iter().any(|revision| {
        let in_area = match revision.about {
            About::Incident(cell) => plan.area(cell.area).is_some_and(|area| area.id == expected.area),
            About::Trouble(_) | About::NotifyTest | About::Manual(_) | About::Canary(_) => false,
        };
        in_area
            && revision.kind == expected.kind
            && expected.reason.is_none_or(|reason| revision.reason == reason)
            && expected.level.is_none_or(|level| revision.level == level)
    })
}

fn summary(
    out: &mut dyn Write,
    paint: Paint,
    outcome: &Outcome,
    readings: usize,
    folder: &Path,
) -> std::io::Result<()> {
    let incidents = outcome.revisions.iter().filter(|revision| matches!(revision.about, About::Incident(_)));
    let mut alerts = Vec::new();
    for level in Level::WARNING.into_iter().rev() {
        let peaks = incidents.clone().filter(|it| it.kind.is_last() && it.peak == level).count();
        if peaks > 0 {
            alerts.push(format!("{peaks} {}", paint.level(level)));
        }
    }
    let (verified, refused) = outcome.webhooks;
    writeln!(out, "\n{}", "─".repeat(72))?;
    writeln!(
        out,
        "Warnings     {} ended, by their highest level: {}",
        incidents.clone().filter(|it| it.kind.is_last()).count(),
        alerts.join(", ")
    )?;
    writeln!(out, "Revisions    {} about incidents, {} in all", incidents.count(), outcome.revisions.len())?;
    writeln!(out, "Mails        {} in {}", outcome.mails, folder.join("mailbox").display())?;
    writeln!(
        out,
        "Webhooks     {verified} verified, {refused} refused, in {}",
        folder.join("webhooks").display()
    )?;
    writeln!(
        out,
        "Readings     {readings} acknowledged and kept; {} deliveries without an outcome",
        outcome.undelivered
    )?;
    writeln!(out, "Look further forewarn warnings list --data {}", folder.join("data").display())?;
    match outcome.missing.as_slice() {
        [] => writeln!(out, "All that the story's truth expects has happened."),
        missing => missing.iter().try_for_each(|it| writeln!(out, "MISSING      {it}")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    #[test]
    fn only_the_folder_of_an_earlier_demo_is_emptied() {
        let base = tempfile::tempdir().unwrap();
        let check = |name: &str, stand: &dyn Fn(&Path), ours: bool| {
            let folder = base.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            stand(&folder);
            assert_eq!(clear(&folder).is_ok(), ours, "{name}");
            assert_eq!(folder.join("data").exists(), !ours, "{name}");
        };
        let log = |folder: &Path, stamp| {
            let settings = crate::config::plan::Log {
                segment_bytes: 64 << 10,
                keep: forewarn_core::time::Span::ZERO,
                gap: forewarn_core::time::Span::ZERO,
                reserve_segments: 1,
            };
            drop(
                crate::log::Log::create(Lock::take(&folder.join("data")).unwrap(), &settings, stamp).unwrap(),
            );
        };
        let boxes = |folder: &Path| {
            std::fs::create_dir(folder.join("mailbox")).unwrap();
            std::fs::create_dir(folder.join("webhooks")).unwrap();
        };
        check("earlier", &|folder| (log(folder, Stamp::Drill), boxes(folder)).1, true);
        check("live", &|folder| (log(folder, Stamp::Live), boxes(folder)).1, false);
        check("a drill's own", &|folder| log(folder, Stamp::Drill), false);
        check("somebody's", &|folder| std::fs::create_dir(folder.join("data")).unwrap(), false);
    }
}
