//! Who hears of what: a pure function of the plan.

use crate::ids::{AreaIx, HazardIx, TargetIx};
use crate::level::Level;
use crate::plan::{Group, Plan, Route, Target};
use crate::time::{Span, Timestamp};

/// Minutes of a day.
const DAY_MINS: i64 = 24 * 60;

/// Everyone whom the plan routes a warning of `hazard` in `area` at `level`
/// to, at civil time `civil`; in order of index, each once.
pub fn targets(plan: &Plan, hazard: HazardIx, area: AreaIx, level: Level, civil: Timestamp) -> Vec<TargetIx> {
    let reached = plan.routes.iter().flat_map(|route| reached(plan, route, hazard, area, level, civil));
    let mut due: Vec<TargetIx> = reached.collect();
    due.sort_unstable();
    due.dedup();
    due
}

/// Civil time after `civil` at which the hours of some route or target next
/// begin; `None` where all are told at any hour.
pub(super) fn hours_begin(plan: &Plan, civil: Timestamp) -> Option<Timestamp> {
    let routes = plan.routes.iter().filter_map(|route| route.hours);
    let targets = plan.targets.iter().flatten().filter_map(|target| target.hours);
    let now = i64::from(local_minute(plan, civil));
    let until = |(from, _): (u16, u16)| (i64::from(from) - now - 1).rem_euclid(DAY_MINS) + 1;
    let minutes = routes.chain(targets).map(until).min()?;
    let this_minute = Timestamp::from_secs(civil.as_secs().div_euclid(60) * 60);
    Some(this_minute + Span::from_mins(minutes))
}

/// Those whom one route takes it to, in order of index.
pub fn reached(
    plan: &Plan,
    route: &Route,
    hazard: HazardIx,
    area: AreaIx,
    level: Level,
    civil: Timestamp,
) -> Vec<TargetIx> {
    let minute = local_minute(plan, civil);
    if plan.area(area).is_none()
        || level == Level::Normal
        || !route_holds(plan, route, hazard, area, level, minute)
    {
        return Vec::new();
    }
    let told = |target: &Target| level >= target.min_level && within(target.hours, minute);
    let speaks = |target: &Target| route.language.as_ref().is_none_or(|only| *only == target.language);
    group(plan, &route.group, &route.via, area)
        .into_iter()
        .filter(|(_, target)| told(target) && speaks(target))
        .map(|(ix, _)| ix)
        .collect()
}

/// Everybody in a group, at whatever level and hour: whoever stands in for
/// those who do not answer is told all the same.
pub fn members(plan: &Plan, group: &Group, via: &[String], area: AreaIx) -> Vec<TargetIx> {
    self::group(plan, group, via, area).into_iter().map(|(ix, _)| ix).collect()
}

fn route_holds(
    plan: &Plan,
    route: &Route,
    hazard: HazardIx,
    area: AreaIx,
    level: Level,
    minute: u16,
) -> bool {
    route.hazard.is_none_or(|only| only == hazard)
        && route.area.is_none_or(|outer| plan.lies_in(area, outer))
        && (route.from..=route.to).contains(&level)
        && within(route.hours, minute)
}

/// The targets that a group means, on these channels.
fn group<'a>(plan: &'a Plan, group: &Group, via: &[String], area: AreaIx) -> Vec<(TargetIx, &'a Target)> {
    let with_role = |role: &str, area: AreaIx| -> Vec<(TargetIx, &'a Target)> {
        everyone(plan)
            .filter(|(_, target)| target.area == Some(area) && target.roles.iter().any(|own| own == role))
            .collect()
    };
    let mut found = match group {
        // The nearest area that has anyone in that role; those who answer for everywhere come last.
        Group::AreaRole(role) => plan
            .around(area)
            .map(|area| with_role(role, area))
            .find(|found| !found.is_empty())
            .unwrap_or_else(|| {
                everyone(plan)
                    .filter(|(_, target)| target.area.is_none() && target.roles.iter().any(|own| own == role))
                    .collect()
            }),
        Group::Role(area, role) => with_role(role, *area),
        Group::Contact(contact) => everyone(plan).filter(|(_, target)| target.contact == *contact).collect(),
    };
    found.retain(|(_, target)| via.is_empty() || via.contains(&target.channel));
    found
}

fn everyone(plan: &Plan) -> impl Iterator<Item = (TargetIx, &Target)> {
    let all = plan.targets.iter().zip(0..);
    all.filter_map(|(target, ix)| Some((TargetIx(ix), target.as_ref()?)))
}

/// The minute of the local day.
fn local_minute(plan: &Plan, civil: Timestamp) -> u16 {
    (plan.settings.local(civil).as_secs().div_euclid(60).rem_euclid(DAY_MINS)) as u16
}

/// Whether a minute of the day lies in hours that may wrap over midnight.
/// Equal ends are the whole day: nobody means an empty one.
fn within(hours: Option<(u16, u16)>, minute: u16) -> bool {
    hours.is_none_or(|(from, to)| match from.cmp(&to) {
        std::cmp::Ordering::Less => (from..to).contains(&minute),
        std::cmp::Ordering::Equal => true,
        std::cmp::Ordering::Greater => minute >= from || minute < to,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judging::world;
    use crate::plan::ZoneOffset;

    const FLOOD: HazardIx = HazardIx(0);

    /// Areas: 0 county, 1 town in it, 2 another county. Targets: t0 duty of the
    /// county (email), t1 duty of the town (webhook), t2 mayor of the town
    /// (email, from orange, en), t3 duty everywhere.
    fn plan(route: Route) -> Plan {
        let mut plan = Plan {
            hazards: vec!["flood".into(), "fire".into()],
            areas: vec![world::area("county", None), world::area("town", Some(0)), world::area("far", None)],
            targets: vec![
                world::target("t0", "duty", Some(0)),
                world::target("t1", "duty", Some(1)),
                world::target("t2", "mayor", Some(1)),
                world::target("t3", "duty", None),
                None,
            ],
            routes: vec![route],
            ..Plan::default()
        };
        let mut set = |ix: usize, change: fn(&mut Target)| {
            change(plan.targets[ix].as_mut().expect("the target stands above"));
        };
        set(1, |target| target.channel = "webhook".into());
        set(2, |target| (target.min_level, target.language) = (Level::Orange, "en".into()));
        plan.settings.offsets = vec![ZoneOffset { from: Timestamp::MIN, east_secs: 8 * 3600 }];
        plan
    }

    fn check(what: &str, route: Route, area: u32, level: Level, utc_hour: i64, expected: &[u32]) {
        let civil = Timestamp::from_secs(utc_hour * 3600);
        let due = targets(&plan(route), FLOOD, AreaIx(area), level, civil);
        assert_eq!(due.iter().map(|ix| ix.0).collect::<Vec<_>>(), expected, "{what}");
    }

    #[test]
    fn routes_choose_by_hazard_area_level_hours_language_role_and_channel() {
        use Level::{Blue, Orange, Red, Yellow};
        let duty = || world::route("duty");
        let mayor = || world::route("mayor");
        check("own role", duty(), 1, Red, 0, &[1]);
        check("not its channel", Route { via: vec!["email".into()], ..duty() }, 1, Red, 0, &[]);
        check("the county itself", duty(), 0, Red, 0, &[0]);
        check("nobody around: those for everywhere", duty(), 2, Red, 0, &[3]);
        check("other hazard", Route { hazard: Some(HazardIx(1)), ..duty() }, 1, Red, 0, &[]);
        check("a parent's route", Route { area: Some(AreaIx(0)), ..duty() }, 1, Red, 0, &[1]);
        check("another's route", Route { area: Some(AreaIx(2)), ..duty() }, 1, Red, 0, &[]);
        check("below its levels", Route { from: Orange, ..duty() }, 1, Yellow, 0, &[]);
        check("above its levels", Route { to: Orange, ..duty() }, 1, Red, 0, &[]);
        check("below a target's own level", mayor(), 1, Yellow, 0, &[]);
        check("at a target's own level", mayor(), 1, Orange, 0, &[2]);
        check("its language", Route { language: Some("en".into()), ..mayor() }, 1, Red, 0, &[2]);
        check("another language", Route { language: Some("zh".into()), ..mayor() }, 1, Red, 0, &[]);
        let night = || Route { hours: Some((22 * 60, 6 * 60)), ..duty() };
        check("midnight in Shanghai", night(), 1, Blue, 16, &[1]);
        check("noon in Shanghai", night(), 1, Blue, 4, &[]);
        check("one contact", Route { group: Group::Contact("c-t2".into()), ..duty() }, 2, Red, 0, &[2]);
        check(
            "a named area's role",
            Route { group: Group::Role(AreaIx(0), "duty".into()), ..duty() },
            1,
            Red,
            0,
            &[0],
        );
        check("an area that is not there", duty(), 9, Red, 0, &[]);
        check("no level", duty(), 1, Level::Normal, 0, &[]);
    }

    #[test]
    fn hours_begin_at_the_next_minute_that_anybody_names() {
        let with = |hours: &[(u16, u16)]| {
            let routes = hours.iter().map(|&hours| Route { hours: Some(hours), ..world::route("duty") });
            Plan { routes: routes.collect(), ..plan(world::route("duty")) }
        };
        // Ten to six in Shanghai, and some seconds.
        let now = Timestamp::from_secs(21 * 3600 + 50 * 60 + 40);
        let begin = |hours: &[(u16, u16)]| hours_begin(&with(hours), now).map(|at| at - now);
        assert_eq!(begin(&[]), None);
        assert_eq!(begin(&[(6 * 60, 18 * 60)]), Some(Span::from_secs(9 * 60 + 20)));
        assert_eq!(begin(&[(18 * 60, 6 * 60), (7 * 60, 8 * 60)]), Some(Span::from_secs(69 * 60 + 20)));
        assert_eq!(
            begin(&[(5 * 60 + 50, 6 * 60)]),
            Some(Span::from_secs(24 * 3600 - 40)),
            "that began just now"
        );
    }
}
