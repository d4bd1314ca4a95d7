//! `forewarn schema`: the shape of the configuration's files, and of the API.

use std::io;

use super::args::SchemaArgs;
use super::{Exit, Surroundings};
use crate::app::commands::described;
use crate::config::schema::{FILES, all, schema as of};

/// Prints the schema of one file, or of all.
pub(super) fn schema(args: &SchemaArgs, around: &mut Surroundings<'_>) -> io::Result<Exit> {
    if args.openapi {
        let document: serde_json::Value = serde_json::from_slice(&described())?;
        writeln!(around.out, "{document:#}")?;
        return Ok(Exit::Done);
    }
    let found = match args.file.as_deref() {
        None => Some(all()),
        Some(file) => of(file),
    };
    if let Some(schema) = found {
        writeln!(around.out, "{schema:#}")?;
        return Ok(Exit::Done);
    }
    let file = args.file.as_deref().unwrap_or_default();
    writeln!(around.err, "file is {file:?}, expected one of {}", FILES.join(", "))?;
    Ok(Exit::Fault)
}
