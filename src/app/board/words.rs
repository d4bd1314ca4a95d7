//! When an open page is told to look again.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use tokio::time::Instant;

use super::Boards;
use crate::board::Sight;
use crate::channels::show;
use crate::http::board::{Heard, Word};

/// Readings alone have a page look again this far apart; a decision at once.
const LOOKS_APART: Duration = Duration::from_millis(1500);

/// A page hears something at least this often.
const BEAT: Duration = Duration::from_secs(2);

/// How long a change waits for the projection, which pages read from as well.
const PROJECTED_WITHIN: Duration = Duration::from_secs(2);

impl Boards {
    pub(super) async fn next_word(&self, heard: Heard) -> Option<(Heard, Word)> {
        let mut picture = self.parts.picture.clone();
        let spoke = Instant::now();
        loop {
            // Without a look there is no word: a page may not take silence for health.
            if let Some(sight) = self.sight().await
                && let Some(word) = self.word_of(&sight, heard, spoke).await
            {
                return Some(word);
            }
            let changed = async {
                match picture.changed().await {
                    Ok(()) => true,
                    Err(_) => false,
                }
            };
            tokio::select! {
                () = self.parts.shutdown.cancelled() => return None,
                goes_on = changed => if !goes_on { return None },
                () = tokio::time::sleep(BEAT) => {}
            }
        }
    }

    async fn word_of(&self, sight: &Sight, heard: Heard, spoke: Instant) -> Option<(Heard, Word)> {
        let (position, stands) = (sight.look.position.0, digest(sight));
        let moved = position != heard.position && heard.told.is_none_or(|told| told.elapsed() >= LOOKS_APART);
        if stands != heard.stands || moved {
            let mut projected = self.parts.projected.clone();
            let there = projected.wait_for(|at| *at >= sight.look.position);
            // That it takes longer is no fault: the page looks again soon.
            let _ = tokio::time::timeout(PROJECTED_WITHIN, there).await;
            return Some((Heard { position, stands, told: Some(Instant::now()) }, Word::Changed));
        }
        let settings = &sight.look.engine.plan().settings;
        let time = show::rfc3339_local(sight.look.civil(), settings);
        let shown = time.get(..19).unwrap_or_default().replace('T', " ");
        (spoke.elapsed() >= BEAT).then_some((heard, Word::Beat(shown)))
    }
}

/// What stands, in a number: another number is another state of things.
fn digest(sight: &Sight) -> u64 {
    let mut hasher = DefaultHasher::new();
    let engine = &sight.look.engine;
    for it in engine.incidents() {
        (it.cell, it.level.index(), it.phase as u8, it.stale).hash(&mut hasher);
        it.warning.and_then(|warning| engine.newest(warning)).map(|newest| newest.number).hash(&mut hasher);
    }
    for (key, trouble) in engine.troubles() {
        (key.code.word(), &key.subject, &trouble.detail).hash(&mut hasher);
    }
    (engine.is_held(), engine.moment().trusted, engine.plan_id().0).hash(&mut hasher);
    (sight.counts.reporting, sight.counts.late, sight.counts.unknown).hash(&mut hasher);
    sight.is_silent().hash(&mut hasher);
    hasher.finish()
}
