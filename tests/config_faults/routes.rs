//! Slips in `routes.toml`, and whom nobody tells.

use crate::world::{Row, check};

const FAULTS: &[Row] = &[
    (
        "[\"webhook\", \"email\"]",
        "\"email\"",
        "routes.toml:5: route.via is text, expected a list in brackets, each \"email\" or \"webhook\"",
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
        "[\"sms\"]",
        "routes.toml:5: route.via is \"sms\", expected \"email\" or \"webhook\"",
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
