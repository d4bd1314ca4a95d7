//! What is made once a setup and used until the next: connections, templates.

use std::sync::{Arc, Mutex, PoisonError};

use crate::config::plan::Setup;

/// Something made from a setup and kept as long as that setup is in force.
pub(crate) struct PerSetup<T> {
    make: Box<dyn Fn(&Setup) -> T + Send + Sync>,
    kept: Mutex<Option<(Arc<Setup>, Arc<T>)>>,
}

impl<T> std::fmt::Debug for PerSetup<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PerSetup").finish_non_exhaustive()
    }
}

impl<T> PerSetup<T> {
    pub(crate) fn new(make: impl Fn(&Setup) -> T + Send + Sync + 'static) -> Self {
        PerSetup { make: Box::new(make), kept: Mutex::new(None) }
    }

    /// What was made from this setup; made now where the setup is another.
    pub(crate) fn of(&self, setup: &Arc<Setup>) -> Arc<T> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some((former, made)) if Arc::ptr_eq(former, setup) => Arc::clone(made),
            _ => {
                let made = Arc::new((self.make)(setup));
                *kept = Some((Arc::clone(setup), Arc::clone(&made)));
                made
            }
        }
    }

    /// Has it made anew the next time, unless that has happened already.
    pub(super) fn forget(&self, stale: &Arc<T>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.as_ref().is_some_and(|(_, made)| Arc::ptr_eq(made, stale)) {
            *kept = None;
        }
    }
}
