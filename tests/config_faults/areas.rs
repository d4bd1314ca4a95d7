//! Slips in `areas.geojson`.

use crate::world::{Row, check};

const FAULTS: &[Row] = &[
    ("\"id\": \"town\"", "\"id\": 3", "areas.geojson:3: property id is a number, expected text of one line"),
    ("[119,28],", "[119,28]", "areas.geojson:4: is not JSON, expected \",\" or \"]\""),
    (
        "\"features\": [",
        "\"features\": ",
        "areas.geojson:2: is an object, expected a list in a GeoJSON FeatureCollection",
    ),
    ("FeatureCollection", "Feature", "areas.geojson:1: is a \"Feature\", expected a FeatureCollection"),
    (
        "\"features\": [",
        "\"crs\": { \"properties\": { \"name\": \"urn:ogc:def:crs:EPSG::3857\" } }, \"features\": [",
        "areas.geojson:1: has the coordinate system \"urn:ogc:def:crs:EPSG::3857\", expected degrees on WGS-84 (CRS84), export it with EPSG:4326",
    ),
    (
        "\"parent\": \"basin\"",
        "\"parent\": \"bassin\"",
        "areas.geojson:3: area \"town\" lies in \"bassin\", which is not there, expected the id of another area, did you mean \"basin\"?",
    ),
    (
        "\"name_en\": \"Basin\"",
        "\"name_en\": \"Basin\", \"parent\": \"town\"",
        "areas.geojson:2: area \"basin\" lies in itself, through \"town\", expected parents without a cycle\nareas.geojson:3: area \"town\" lies in itself, through \"basin\", expected parents without a cycle",
    ),
    ("\"name_zh\": \"镇\", ", "", "areas.geojson:3: area \"town\" has no name, expected name_zh or name_en"),
    (
        "\"name_zh\": \"镇\"",
        "\"nmae_zh\": \"镇\", \"name_en\": \"T\"",
        "areas.geojson:3: unknown property \"nmae_zh\", expected one of id, name_zh, name_en, parent, geocode, did you mean \"name_zh\"?",
    ),
    (
        "\"id\": \"town\"",
        "\"id\": \"basin\"",
        "areas.geojson:3: area \"basin\" stands twice, expected each id once\nsensors.csv:2: area \"town\" is not in areas.geojson, expected the id of an area\nsensors.csv:3: area \"town\" is not in areas.geojson, expected the id of an area",
    ),
    (
        "\"id\": \"town\", ",
        "",
        "areas.geojson:3: has no sound id, expected a name of letters, digits, - _ . : (64 characters at most)",
    ),
    (
        ",[118,28]]]",
        "]]",
        "areas.geojson:3: area \"town\": a ring is not closed, expected the last position as the first",
    ),
    (
        "[118,28],[119,28],[119,29],[118,29],[118,28]",
        "[28,118],[28,119],[29,119],[29,118],[28,118]",
        "areas.geojson:3: area \"town\": position [28, 118] is not on the globe, expected [longitude, latitude] in degrees, GeoJSON has the longitude first: are they swapped?",
    ),
    (
        "[119,29],[118,29],",
        "",
        "areas.geojson:3: area \"town\": a ring has 3 positions, expected four at least, the last as the first",
    ),
    (
        "[119,28],[119,29],[118,29]",
        "[119,29],[119,28],[118,29.5]",
        "areas.geojson:3: area \"town\": a ring crosses itself, expected a ring whose sides only meet at its corners",
    ),
    (
        "\"id\": \"town\"",
        "\"id\": \"town\", \"geocode\": \"330803\"",
        "areas.geojson:3: area \"town\": geocode is \"330803\", expected SYSTEM=CODE, such as \"adcode=330803\"",
    ),
    (
        "\"Polygon\"",
        "\"Point\"",
        "areas.geojson:3: area \"town\": is a \"Point\", expected a Polygon or MultiPolygon of closed rings of [longitude, latitude]",
    ),
    (
        "[119,28],[119,29]",
        "[118.75,28],[118.75,29]",
        "sensors.csv:3: warning: station \"b\" stands outside the outline of its area \"town\", check lat, lon and area",
    ),
];

#[test]
fn each_slip_in_the_areas_is_told_with_its_line() {
    check("areas.geojson", FAULTS);
}
