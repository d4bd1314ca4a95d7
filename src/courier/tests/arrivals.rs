//! The order in which a storm enters the lanes.

use std::sync::Arc;

use forewarn_core::ids::TargetIx;
use forewarn_core::level::Level;
use forewarn_core::warning::{Due, Kind, Revision};

use super::revision;
use crate::courier::arrivals::{Arrivals, Burden, Release, SLICE_MAX};

fn release(revision: &Arc<Revision>, burden: Burden) -> Release {
    Release { revision: Arc::clone(revision), due: Due { target: TargetIx(0), round: 0 }, burden }
}

/// Positions of the slice.
fn entered(slice: &[Release]) -> Vec<u64> {
    slice.iter().map(|release| release.revision.id.position.0).collect()
}

/// Three warnings, two of which end, after so many others.
fn after(others: usize) -> Arrivals {
    let mut arrivals = Arrivals::default();
    let before = revision(50, 1, 50, Kind::Alert, Level::Orange, &[0]);
    (0..others).for_each(|_| arrivals.push(release(&before, Burden::Pressing)));
    for revision in [
        revision(100, 1, 100, Kind::Alert, Level::Yellow, &[0]),
        revision(100, 2, 101, Kind::Cancel, Level::Red, &[0]),
        revision(102, 1, 102, Kind::Alert, Level::Red, &[0]),
        revision(103, 1, 103, Kind::Alert, Level::Orange, &[0]),
        revision(102, 2, 104, Kind::Update, Level::Red, &[0]),
        revision(102, 3, 105, Kind::AllClear, Level::Normal, &[0]),
    ] {
        arrivals.push(release(&revision, Burden::Pressing));
    }
    arrivals
}

#[test]
fn red_enters_a_storm_first_and_the_last_word_stays_behind_what_it_ends() {
    let mut arrivals = after(SLICE_MAX - 2);
    assert_eq!(entered(&arrivals.slice())[..3], [102, 104, 50]);
    assert_eq!(entered(&arrivals.slice()), [100, 101, 103, 105]);
    assert!(arrivals.is_empty());
}

#[test]
fn what_is_no_storm_enters_in_order_of_release() {
    assert_eq!(entered(&after(0).slice()), [100, 101, 102, 103, 104, 105]);
}

#[test]
fn what_has_not_entered_counts_already_by_what_it_will_be() {
    let mut arrivals = Arrivals::default();
    let (red, orange) = (
        revision(100, 1, 100, Kind::Alert, Level::Red, &[0]),
        revision(101, 1, 101, Kind::Alert, Level::Orange, &[0]),
    );
    for _ in 0..SLICE_MAX {
        arrivals.push(release(&orange, Burden::Gathered));
    }
    arrivals.push(release(&red, Burden::Pressing));
    assert_eq!((arrivals.pressing(), arrivals.gathered()), (1, SLICE_MAX));
    let slice = arrivals.slice();
    assert_eq!((slice.len(), entered(&slice)[0]), (SLICE_MAX, 100));
    assert_eq!((arrivals.pressing(), arrivals.gathered()), (0, 1));
    assert_eq!(entered(&arrivals.slice()), [101]);
}
