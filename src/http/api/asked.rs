//! What is asked for: queries with their limits, areas, and where a page goes on.

use axum::extract::FromRequestParts;
use axum::extract::Query;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use forewarn_core::authority::{Ground, Role, Scope};
use forewarn_core::ids::AreaIx;
use forewarn_core::plan::Plan;
use forewarn_core::time::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::http::caller::Caller;
use crate::http::problem::Problem;

/// Rows of a page unless asked otherwise.
pub(super) const LIMIT: usize = 50;

/// Rows of a page at most.
pub(super) const LIMIT_MAX: usize = 500;

/// A page of a list, newest first where that means anything.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// What to give as `after` for the next page; `null` where there is none.
    pub next: Option<String>,
}

/// A query, or a problem that says what is the matter with it.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(asked)) => Ok(Asked(asked)),
            Err(error) => Err(Problem::bad_query(error.body_text())),
        }
    }
}

/// How many rows are meant.
pub(super) fn limit(asked: Option<usize>, most: usize) -> Result<usize, Problem> {
    let limit = asked.unwrap_or(LIMIT.min(most));
    if (1..=most).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::bad_query(format!("limit is {limit}, expected 1 to {most}")))
}

/// Where a page goes on, as text that nobody needs to read.
pub(super) fn cursor(place: &impl Serialize) -> Option<String> {
    serde_json::to_vec(place).ok().map(|text| URL_SAFE_NO_PAD.encode(text))
}

/// Reads what [`cursor`] wrote.
pub(super) fn place<T: DeserializeOwned>(after: Option<&str>) -> Result<Option<T>, Problem> {
    let Some(after) = after else { return Ok(None) };
    let place = URL_SAFE_NO_PAD.decode(after).ok().and_then(|text| serde_json::from_slice(&text).ok());
    place.map(Some).ok_or_else(|| Problem::bad_query("after is not what a page gave as `next`"))
}

/// The areas that are meant: the one asked for with all that lie in it, else
/// all of the caller's; `None` is everywhere, and what is about the service.
pub(in crate::http) fn areas(
    caller: &Caller,
    plan: &Plan,
    asked: Option<&str>,
) -> Result<Option<Vec<AreaIx>>, Problem> {
    let all = || (0..plan.areas.len() as u32).map(AreaIx);
    match (asked, &caller.authority.scope) {
        (Some(id), _) => {
            let named = |ix: &AreaIx| plan.area(*ix).is_some_and(|area| area.id == id);
            let Some(outer) = all().find(named) else { return Err(Problem::no_such("area", id)) };
            caller.check(Role::Viewer, Ground::Areas(&[outer]), plan)?;
            Ok(Some(all().filter(|&area| plan.lies_in(area, outer)).collect()))
        }
        (None, Scope::Everywhere) => Ok(None),
        (None, Scope::Areas(_)) => Ok(Some(all().filter(|&area| caller.covers(area, plan)).collect())),
    }
}

/// Refuses whoever may not look there; what is about the service is for those
/// who may look everywhere.
pub(super) fn may_see(caller: &Caller, plan: &Plan, area: Option<AreaIx>) -> Result<(), Problem> {
    match area {
        Some(area) => caller.check(Role::Viewer, Ground::Areas(&[area]), plan),
        None => caller.check(Role::Viewer, Ground::Service, plan),
    }
}

/// The same for what is in several areas: one of them is enough to look.
pub(in crate::http) fn may_see_any(caller: &Caller, plan: &Plan, areas: &[AreaIx]) -> Result<(), Problem> {
    match areas.iter().find(|&&area| caller.covers(area, plan)).or(areas.first()) {
        Some(area) => may_see(caller, plan, Some(*area)),
        None => may_see(caller, plan, None),
    }
}

/// An instant as RFC 3339 has it.
pub(super) fn instant(name: &str, text: &str) -> Result<Timestamp, Problem> {
    // `+` of an offset that nobody escaped came as a space.
    let text = text.replace(' ', "+");
    let parsed: Result<jiff::Timestamp, _> = text.parse();
    parsed.map(|at| Timestamp(at.as_microsecond())).map_err(|_| {
        Problem::bad_query(format!("{name} is {text:?}, expected a time such as 2026-07-01T03:00:00+08:00"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nothing_else_does() {
        let (text, number) = ("a b".to_owned(), 7_i64);
        let after = cursor(&(&text, number));
        assert_eq!(place::<(String, i64)>(after.as_deref()).expect("ours"), Some((text, number)));
        assert_eq!(place::<(String, i64)>(None).expect("none"), None);
        for wrong in ["", "AAAA", "not base64!"] {
            assert!(place::<(String, i64)>(Some(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn limits_are_kept() {
        for (asked, expected) in
            [(None, Some(50)), (Some(1), Some(1)), (Some(500), Some(500)), (Some(0), None), (Some(501), None)]
        {
            assert_eq!(limit(asked, LIMIT_MAX).ok(), expected, "{asked:?}");
        }
    }
}
