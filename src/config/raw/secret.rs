//! Secrets as written: a reference, never the secret. What stands where a
//! reference should is not repeated, for it may be the secret itself.

use std::fs;
use std::io;
use std::path::Path;

use schemars::JsonSchema;
use toml::Spanned;
use toml::de::DeValue;

use super::super::fault::{Fault, Place, Warning};
use super::super::secret::Secret;
use super::table::{Read, Reader, raw};
use super::words;

/// Largest secret read from a file, bytes.
const SECRET_MAX: u64 = 64 * 1024;

/// Where a secret is found: `{ env = "NAME" }` or `{ file = "path" }`.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum SecretRef {
    /// In an environment variable.
    Env(Env),
    /// In a file that only the service may read.
    File(File),
}

raw! {
    /// A secret in an environment variable.
    pub(crate) struct Env {
        /// Name of the variable.
        env: words::Variable,
    }
}

raw! {
    /// A secret in a file that only the service may read.
    pub(crate) struct File {
        /// Path of the file, absolute or from the configuration's folder.
        file: words::Path,
    }
}

const EXPECTED: &str = "a reference { env = \"NAME\" } or { file = \"path\" }";

impl Read for SecretRef {
    fn read(value: Spanned<DeValue<'_>>, path: &str, reader: &mut Reader<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::Table(table) if table.contains_key("file") => {
                File::read(value, path, reader).map(SecretRef::File)
            }
            DeValue::Table(table) if table.contains_key("env") => {
                Env::read(value, path, reader).map(SecretRef::Env)
            }
            DeValue::Table(table) if table.is_empty() => {
                let place = reader.place(reader.line(value.span().start));
                reader.fault(Fault::new(place, format!("{path} is empty"), EXPECTED));
                None
            }
            DeValue::Table(_) => {
                let place = reader.place(reader.line(value.span().start));
                let fault = Fault::new(place, format!("{path} has neither env nor file"), EXPECTED);
                reader.fault(fault.hint("a secret that stood in a file like this one should be replaced"));
                None
            }
            _ => {
                let place = reader.place(reader.line(value.span().start));
                let fault = Fault::new(place, format!("{path} is written out"), EXPECTED);
                reader.fault(fault.hint("a secret that stood in a file like this one should be replaced"));
                None
            }
        }
    }

    fn expected() -> String {
        EXPECTED.to_owned()
    }
}

/// What else is to be said of a secret that was found.
pub(crate) type Found = (Secret, Option<Warning>);

impl SecretRef {
    /// Whether it leads to the same place as another.
    pub(crate) fn is(&self, other: &SecretRef) -> bool {
        match (self, other) {
            (SecretRef::Env(one), SecretRef::Env(other)) => one.env.0 == other.env.0,
            (SecretRef::File(one), SecretRef::File(other)) => one.file.0 == other.file.0,
            (SecretRef::Env(_), SecretRef::File(_)) | (SecretRef::File(_), SecretRef::Env(_)) => false,
        }
    }

    /// Follows the reference. `env` reads environment variables.
    pub(crate) fn resolve(
        &self,
        dir: &Path,
        place: &Place,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Found, Fault> {
        match self {
            SecretRef::Env(Env { env: words::Variable(name) }) => {
                let secret = env(name).filter(|secret| !secret.is_empty()).ok_or_else(|| {
                    let what = format!("environment variable {name} is not set");
                    Fault::new(place.clone(), what, "the secret in it")
                })?;
                Ok((Secret::new(secret), None))
            }
            SecretRef::File(File { file: words::Path(file) }) => from_file(&dir.join(file), place),
        }
    }
}

fn from_file(path: &Path, place: &Place) -> Result<Found, Fault> {
    let shown = path.display();
    let fault = |what: String| Fault::new(place.clone(), what, "a file that holds the secret");
    let unread = |error: io::Error| fault(format!("secret file {shown} cannot be read ({error})"));
    let found = fs::metadata(path).map_err(unread)?;
    if !found.is_file() || found.len() > SECRET_MAX {
        return Err(fault(format!("secret file {shown} is no file of {} KiB at most", SECRET_MAX >> 10)));
    }
    let text = fs::read_to_string(path).map_err(unread)?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(fault(format!("secret file {shown} is empty")));
    }
    let open = readable_by_others(&found).then(|| {
        let what = format!("secret file {shown} can be read by others");
        Warning::new(place.clone(), what, format!("run chmod 600 {shown}"))
    });
    Ok((Secret::new(secret), open))
}

#[cfg(unix)]
fn readable_by_others(found: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    // The group is let be: systemd and containers hand secrets over by group.
    found.permissions().mode() & 0o004 != 0
}

#[cfg(not(unix))]
fn readable_by_others(_: &fs::Metadata) -> bool {
    false
}
