//! Slips in `routes.toml`, and whom nobody tells.

use forewarn::config::names::FreshIndices;

use crate::world::{ROUTES, Row, check, loads, sound, write};

const FAULTS: &[Row] = &[
    (
        "[\"webhook\", \"email\"]",
        "\"email\"",
        "routes.toml:5: route.via is text, expected a list in brackets, each one of \"email\", \"webhook\", \"wecom\", \"dingtalk\", \"feishu\", \"slack\", \"teams\", \"sms\"",
    ),
    (
        "[[route]]",
        "[route]\nlevel = \"red\"\nto = \"it\"\nvia = [\"email\"]\n[route]",
        "routes.toml:5: key \"route\" stands twice, expected each key once, several of a kind are written [[route]]",
    ),
    (
        "level = \"blue..red\"",
        "level = \"red..blue\"",
        "routes.toml:3: route.level is \"red..blue\", expected a level or a range of levels such as \"yellow..red\"",
    ),
    (
        "level = \"blue..red\"\n",
        "",
        "routes.toml:1: route has no level, expected a level or a range of levels such as \"yellow..red\"",
    ),
    (
        "{area}/duty",
        "it-duty",
        "routes.toml:4: to is \"it-duty\", who is not in contacts.csv, expected the id of a contact",
    ),
    (
        "{area}/duty",
        "twn/duty",
        "routes.toml:4: area \"twn\" is not in areas.geojson, expected the id of an area, did you mean \"town\"?",
    ),
    (
        "{area}/duty",
        "a/b/c",
        "routes.toml:4: route.to is \"a/b/c\", expected \"{area}/role\", \"area-id/role\" or a contact's id",
    ),
    (
        "[\"webhook\", \"email\"]",
        "[\"pager\"]",
        "routes.toml:5: route.via is \"pager\", expected one of \"email\", \"webhook\", \"wecom\", \"dingtalk\", \"feishu\", \"slack\", \"teams\", \"sms\"",
    ),
    (
        "[\"webhook\", \"email\"]",
        "[]",
        "routes.toml:1: route goes via no channel, expected via = [\"webhook\", \"email\"], or one of them",
    ),
    (
        "[\"webhook\", \"email\"]",
        "[\"email\", \"email\"]",
        "routes.toml:1: route names a channel twice, expected each channel once",
    ),
    (
        "hazard",
        "hours = \"8..18\"\nhazard",
        "routes.toml:2: route.hours is \"8..18\", expected local hours such as \"08:00..18:00\"",
    ),
    ("hazard", "language = \"fr\"\nhazard", "routes.toml:2: route.language is \"fr\", expected zh or en"),
    (
        "hazard",
        "hazrad",
        "routes.toml:2: unknown key \"hazrad\" in route, expected one of hazard, area, level, hours, language, to, via, ack, did you mean \"hazard\"?",
    ),
    (
        "\"blue..red\"",
        "\"yellow..orange\"",
        "routes.toml: warning: nobody is told of \"flood\" blue, red in area town, add a route, or a contact with its role",
    ),
    (
        "hazard",
        "hours = \"08:00..18:00\"\nhazard",
        "routes.toml: warning: nobody is told of \"flood\" blue, yellow, orange, red at 00:00 in area town, add a route, or a contact with its role",
    ),
    (
        "[[route]]",
        "[[route]]\nhazard = \"flod\"\nlevel = \"red\"\nto = \"it\"\nvia = [\"email\"]\n[[route]]",
        "routes.toml:2: warning: no rule warns of hazard \"flod\", so this route carries nothing, did you mean \"flood\"?",
    ),
];

#[test]
fn each_slip_in_the_routes_and_whom_nobody_tells_is_told_with_its_line() {
    check("routes.toml", FAULTS);
}

#[test]
fn abuse_41_route_to_nobody() {
    check(
        "routes.toml",
        &[
            (
                "[[route]]",
                "[[route]]\nlevel = \"red\"\nto = \"basin/mayr\"\nvia = [\"email\"]\n[[route]]",
                "routes.toml:3: no contact has role \"mayr\", so this route goes to nobody, expected one of duty, it, mayor, did you mean \"mayor\", or is it misspelt in contacts.csv?",
            ),
            (
                "[[route]]",
                "[[route]]\nlevel = \"red\"\nto = \"it\"\nvia = [\"webhook\"]\n[[route]]",
                "routes.toml:1: warning: this route goes to nobody, check roles, area, min_level and hours in contacts.csv, and via",
            ),
        ],
    );
}

#[test]
fn asking_that_ends_with_nobody_is_told() {
    let dir = sound();
    let ask = |to: &str, via: &str, then: &str| {
        format!(
            "{ROUTES}[[route]]\nlevel = \"red\"\nto = \"{to}\"\nvia = {via}\nack = {{ within = \"5 min\", then = {then} }}\n"
        )
    };
    let nobody = |group: &str| {
        format!(
            "routes.toml:6: warning: ack.then names \"{group}\", and nobody there can be told by webhook, give them such an address in contacts.csv, or the route another via"
        )
    };
    let alone = "routes.toml:6: warning: where nobody acknowledges, nobody else is told in area town, name others in ack.then, or give the operator an address of its own";
    for (to, via, then, expected) in [
        ("duty", "[\"webhook\"]", "[\"it\"]", vec![nobody("it")]),
        ("duty", "[\"webhook\"]", "[\"basin/it\", \"{area}/mayor\"]", vec![nobody("basin/it")]),
        ("duty", "[\"email\"]", "[\"it\"]", vec![]),
        ("duty", "[\"email\"]", "[]", vec![]),
        ("it", "[\"email\"]", "[]", vec![alone.to_owned()]),
        ("it", "[\"email\"]", "[\"it\"]", vec![alone.to_owned()]),
        ("it", "[\"email\"]", "[\"it\", \"duty\"]", vec![]),
    ] {
        write(dir.path(), "routes.toml", ask(to, via, then).as_bytes());
        let said = loads(dir.path(), &mut FreshIndices::default()).expect("can be used").warnings;
        let said: Vec<String> = said.iter().map(ToString::to_string).collect();
        let said: Vec<&String> = said.iter().filter(|line| !line.contains("site.url")).collect();
        assert_eq!(said, expected.iter().collect::<Vec<_>>(), "to {to} via {via} then {then}");
    }
}
