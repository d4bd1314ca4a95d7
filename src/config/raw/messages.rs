//! `messages/{zh,en}/`: templates and words as written. What is not there
//! is taken from the service's own.

use std::collections::BTreeMap;
use std::path::Path;

use crate::channels::words::LANGUAGES;
use crate::config::fault::Faults;

/// Text by language and file name.
pub(crate) type Messages = BTreeMap<String, BTreeMap<String, String>>;

/// Reads both folders, as far as they are there.
pub(crate) fn read(dir: &Path, faults: &mut Faults) -> Messages {
    let mut messages = Messages::new();
    for language in LANGUAGES {
        let folder = format!("messages/{language}");
        for file in super::folder(dir, &folder, "", faults) {
            if let Ok(Some(text)) = super::optional(dir, &file, faults) {
                let name = file[folder.len() + 1..].to_owned();
                messages.entry(language.to_owned()).or_default().insert(name, text);
            }
        }
    }
    messages
}
