//! `forewarn backup` and `forewarn restore`.

use std::io;

use indicatif::{ProgressBar, ProgressStyle};

use super::args::{BackupArgs, RestoreArgs};
use super::beside::{command, data_dir, told};
use super::{Exit, Surroundings};
use crate::backup;
use crate::config::predict::bytes;

/// `forewarn backup`.
pub(super) fn backup(args: &BackupArgs, around: &mut Surroundings<'_>) -> io::Result<Exit> {
    let made = || -> anyhow::Result<backup::Manifest> {
        let data = data_dir(&args.places)?;
        let bar = bar();
        let made = backup::make(&data, &args.to, around.now, &|copied| bar.inc(copied));
        bar.finish_and_clear();
        Ok(made?)
    };
    let made = made();
    told(made.and_then(|made| said("backed up to", &args.to, &made, around)), around)
}

/// `forewarn restore`.
pub(super) fn restore(args: &RestoreArgs, around: &mut Surroundings<'_>) -> io::Result<Exit> {
    let restored = || -> anyhow::Result<backup::Manifest> {
        let data = data_dir(&args.places)?;
        let bar = bar();
        let restored = backup::restore(&args.from, &data, &|copied| bar.inc(copied));
        bar.finish_and_clear();
        Ok(restored?)
    };
    let done = restored().and_then(|restored| {
        let data = data_dir(&args.places)?;
        said("restored to", &data, &restored, around)?;
        writeln!(
            around.out,
            "it is held at its first start: it judges, and sends nothing but trouble; see what would go with\n  \
             {}\nand let it act with\n  {}",
            command(&args.places, "resume --dry-run"),
            command(&args.places, "resume"),
        )?;
        Ok(Exit::Done)
    });
    told(done, around)
}

fn said(
    what: &str,
    folder: &std::path::Path,
    manifest: &backup::Manifest,
    around: &mut Surroundings<'_>,
) -> anyhow::Result<Exit> {
    let size = manifest.files.iter().map(|entry| entry.bytes).sum();
    let backup::Manifest { stamp, log, position, files, .. } = manifest;
    let folder = folder.display();
    writeln!(
        around.out,
        "{what} {folder}: {stamp} log {log} up to position {position}, {} files, {}",
        files.len(),
        bytes(size),
    )?;
    Ok(Exit::Done)
}

/// Drawn on standard error, and only where that is a terminal.
fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {bytes} checked").expect("the template is sound");
    ProgressBar::no_length().with_style(style)
}
