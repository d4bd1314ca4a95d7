//! What the signs and words of the board mean.

use forewarn_core::level::Level;
use minijinja::{Value, context};

use super::standing::Group;
use super::voice::Voice;
use super::{Draft, Scene};
use crate::channels::naming;
use crate::channels::words::Words;

/// Draws it.
pub fn draw(scene: &Scene<'_>, words: &Words) -> Draft {
    let voice = Voice::of(scene, words);
    let levels: Vec<Value> = Level::WARNING
        .into_iter()
        .rev()
        .map(|level| {
            context! {
                level => level.word(),
                symbol => naming::symbol(level),
                name => naming::level_name(level, words),
                action => words.get(&format!("actions.default.{level}")),
            }
        })
        .collect();
    let groups: Vec<Value> = [Group::Reporting, Group::Late, Group::Unknown]
        .into_iter()
        .map(|group| {
            context! {
                group => group.word(),
                symbol => group.symbol(),
                name => voice.word(&format!("group.{}", group.word())),
                means => voice.word(&format!("group_means.{}", group.word())),
            }
        })
        .collect();
    Draft { template: "help.html", content: context! { levels => levels, groups => groups } }
}
