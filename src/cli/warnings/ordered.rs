//! What is ordered of a warning or a draft that people name by its beginning.

use super::super::args::{Speaks, WarningsArgs};
use super::super::beside::Beside;
use super::super::{Exit, Surroundings, orders};
use super::meant;
use crate::app::orders::Order;

/// Orders something about the warning that an id, or the beginning of one, means.
pub(super) fn ordered(
    args: &WarningsArgs,
    id: &str,
    speaks: &Speaks,
    make: impl FnOnce(String) -> Order,
    around: &mut Surroundings<'_>,
) -> anyhow::Result<Exit> {
    let state = Beside::open(&args.places)?.state()?;
    match meant(args, &state, id, around)? {
        Ok(found) => {
            let order = make(found.digest.to_string());
            Ok(orders::order(&args.places, &args.listing, speaks, order, around)?)
        }
        Err(exit) => Ok(exit),
    }
}

pub(super) fn approve(
    args: &WarningsArgs,
    draft: u32,
    begins: &str,
    speaks: &Speaks,
    around: &mut Surroundings<'_>,
) -> anyhow::Result<Exit> {
    match orders::whole_digest(&args.places, draft, begins, around)? {
        Some(digest) => {
            let order = Order::Approve { draft, digest };
            Ok(orders::order(&args.places, &args.listing, speaks, order, around)?)
        }
        None => Ok(Exit::Remarks),
    }
}
