//! `forewarn demo`: plays a story through the whole service.

use std::io;

use super::args::DemoArgs;
use super::{Exit, Surroundings};
use crate::app::demo::{self, DemoOptions};

/// Plays it; fails with a remark where what the story's truth expects did not happen.
pub(super) fn demo(args: &DemoArgs, around: &mut Surroundings<'_>) -> io::Result<Exit> {
    let options =
        DemoOptions { recording: args.recording.clone(), seed: args.seed, folder: args.data.clone() };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match runtime.block_on(demo::run(&options, around.paint, around.out)) {
        Ok(outcome) if outcome.missing.is_empty() && outcome.undelivered == 0 => Ok(Exit::Done),
        Ok(_) => Ok(Exit::Remarks),
        Err(error) => {
            writeln!(around.err, "demo: {error:#}")?;
            Ok(Exit::Failed)
        }
    }
}
