//! Plans by the hash of their bytes, a file each. The log names the hash; the
//! body must be durable before the event that names it is appended.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use forewarn_core::plan::{Plan, PlanId};
use sha2::{Digest as _, Sha256};

use super::disk::{put_file, sync_folder};
use super::error::LogError;

const FOLDER: &str = "plans";
const EXTENSION: &str = "plan";

/// Keeps a plan, durably with its directory, and gives the hash to name it by.
/// One that is there already and reads back good is left alone.
pub fn save_plan(dir: &Path, plan: &Plan) -> Result<PlanId, LogError> {
    let bytes = plan.to_bytes();
    let id = hash(&bytes);
    let path = path(dir, id);
    if fs::read(&path).is_ok_and(|there| there == bytes) {
        return Ok(id);
    }
    let saved = || -> io::Result<()> {
        fs::create_dir_all(dir.join(FOLDER))?;
        sync_folder(dir)?;
        put_file(&path, &bytes)
    };
    saved().map_err(LogError::io(format!("cannot write {}", path.display())))?;
    Ok(id)
}

/// The plan of a hash, checked against it.
pub fn load_plan(dir: &Path, id: PlanId) -> Result<Plan, LogError> {
    let path = path(dir, id);
    let bytes = fs::read(&path).map_err(LogError::io(format!("cannot read {}", path.display())))?;
    if hash(&bytes) != id {
        return Err(LogError::Corrupt(format!(
            "{} does not hash to its own name, expected the bytes it was saved with",
            path.display()
        )));
    }
    Plan::from_bytes(&bytes).map_err(|error| {
        LogError::Corrupt(format!("{} does not decode ({error}), expected a plan", path.display()))
    })
}

/// The plans that are kept, the one saved last first; none where the folder
/// cannot be read.
pub fn kept_plans(dir: &Path) -> Vec<PlanId> {
    let Ok(entries) = fs::read_dir(dir.join(FOLDER)) else { return vec![] };
    let mut kept: Vec<_> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let id = id_of(&entry.path())?;
            Some((entry.metadata().and_then(|metadata| metadata.modified()).ok(), id))
        })
        .collect();
    kept.sort_unstable_by(|a, b| b.cmp(a));
    kept.into_iter().map(|(_, id)| id).collect()
}

/// Removes the plans that nothing names any more: no record that is kept, no
/// snapshot, nothing in force. Returns how many.
pub fn forget_plans(dir: &Path, named: &BTreeSet<PlanId>) -> Result<usize, LogError> {
    let folder = dir.join(FOLDER);
    let what = || LogError::io(format!("cannot tidy {}", folder.display()));
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(what()(error)),
    };
    let named: BTreeSet<_> = named.iter().map(|id| path(dir, *id)).collect();
    let mut gone = 0;
    for entry in entries {
        let path = entry.map_err(what())?.path();
        if path.extension().is_some_and(|it| it == EXTENSION) && !named.contains(&path) {
            fs::remove_file(&path).map_err(what())?;
            gone += 1;
        }
    }
    Ok(gone)
}

fn path(dir: &Path, id: PlanId) -> PathBuf {
    let mut name = String::with_capacity(64);
    for byte in id.0 {
        write!(name, "{byte:02x}").expect("writing into a String cannot fail");
    }
    dir.join(FOLDER).join(name).with_extension(EXTENSION)
}

/// The hash that a plan's file is called by; `None` for a file that is no plan.
fn id_of(path: &Path) -> Option<PlanId> {
    let name = path.file_stem()?.to_str().filter(|name| name.len() == 64 && name.is_ascii())?;
    let mut id = [0; 32];
    for (byte, at) in id.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&name[at..at + 2], 16).ok()?;
    }
    path.extension().is_some_and(|it| it == EXTENSION).then_some(PlanId(id))
}

fn hash(bytes: &[u8]) -> PlanId {
    let mut id = [0; 32];
    id.copy_from_slice(&Sha256::digest(bytes));
    PlanId(id)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_kept_while_something_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let old = Plan { hazards: vec!["flood".into()], ..Plan::default() };
        let new = Plan { hazards: vec!["flood".into(), "surge".into()], ..Plan::default() };
        let ids = [&old, &new].map(|plan| save_plan(dir.path(), plan).unwrap());
        assert_eq!(ids, [old.id(), new.id()]);
        assert_eq!(save_plan(dir.path(), &old).unwrap(), ids[0], "the same again is no fault");
        assert_eq!(load_plan(dir.path(), ids[0]).unwrap(), old);
        assert_eq!(kept_plans(dir.path()).into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(ids));

        assert_eq!(forget_plans(dir.path(), &BTreeSet::from([ids[1]])).unwrap(), 1);
        assert!(load_plan(dir.path(), ids[0]).is_err());
        assert_eq!(load_plan(dir.path(), ids[1]).unwrap(), new);
    }

    #[test]
    fn a_plan_that_rots_is_not_used_and_can_be_saved_again() {
        let dir = tempfile::tempdir().unwrap();
        let plan = Plan { hazards: vec!["flood".into()], ..Plan::default() };
        let id = save_plan(dir.path(), &plan).unwrap();
        let file = path(dir.path(), id);
        let mut bytes = fs::read(&file).unwrap();
        bytes[3] ^= 1;
        fs::write(&file, bytes).unwrap();
        let fault = load_plan(dir.path(), id).unwrap_err().to_string();
        assert!(fault.contains("does not hash to its own name"), "{fault}");
        save_plan(dir.path(), &plan).unwrap();
        assert_eq!(load_plan(dir.path(), id).unwrap(), plan);
    }
}
