//! `areas.geojson` as written: what warnings are about, with outlines.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Names;
use super::sensors::on_globe;
use super::words::{Id, Text, Word};
use crate::config::fault::{Fault, Faults, Place, list, quote};
use crate::config::plan::crosses_itself;

/// The file's name.
pub(crate) const FILE: &str = "areas.geojson";

/// The properties an area may have.
pub(crate) const PROPERTIES: [&str; 5] = ["id", "name_zh", "name_en", "parent", "geocode"];

/// Every area that could be read.
#[derive(Debug, Default)]
pub(crate) struct Areas {
    pub(crate) areas: Vec<Area>,
    /// Ids of all, those at fault too.
    pub(crate) named: Names,
}

/// One area.
#[derive(Debug, Clone)]
pub(crate) struct Area {
    pub(crate) place: Place,
    pub(crate) id: String,
    pub(crate) name_zh: Option<String>,
    pub(crate) name_en: Option<String>,
    pub(crate) parent: Option<String>,
    /// The name of a system of codes, and the area's code in it.
    pub(crate) geocode: Option<(String, String)>,
    /// Its polygons; none where no outline is given.
    pub(crate) polygons: Vec<Polygon>,
}

/// Longitude and latitude, the last position as the first.
pub(crate) type Ring = Vec<[f64; 2]>;

/// An outer ring, and those of its holes.
pub(crate) type Polygon = Vec<Ring>;

impl Area {
    /// Whether a position lies within the outline (even-odd, so holes are outside).
    pub(crate) fn contains(&self, lat: f64, lon: f64) -> bool {
        let mut inside = false;
        for ring in self.polygons.iter().flatten() {
            for pair in ring.windows(2) {
                let ([x1, y1], [x2, y2]) = (pair[0], pair[1]);
                if (y1 > lat) != (y2 > lat) && lon < (x2 - x1) * (lat - y1) / (y2 - y1) + x1 {
                    inside = !inside;
                }
            }
        }
        inside
    }

    /// The outer ring of each polygon.
    pub(crate) fn outer(&self) -> impl Iterator<Item = &Ring> {
        self.polygons.iter().filter_map(|rings| rings.first())
    }
}

#[derive(Deserialize)]
struct Collection<'t> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow)]
    features: Vec<&'t RawValue>,
    #[serde(default)]
    crs: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Feature {
    #[serde(rename = "type")]
    kind: String,
    properties: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    geometry: Option<Geometry>,
}

#[derive(Deserialize)]
struct Geometry {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    coordinates: serde_json::Value,
}

/// Reads it.
pub(crate) fn read(dir: &Path, faults: &mut Faults) -> Option<Areas> {
    let text = super::required(dir, FILE, faults)?;
    let file: Arc<str> = Arc::from(FILE);
    let collection: Collection<'_> = match serde_json::from_str(&text) {
        Ok(collection) => collection,
        Err(error) => {
            faults.push(json_fault(&Place { file, line: 0 }, 0, &error, "a GeoJSON FeatureCollection"));
            return None;
        }
    };
    if collection.kind != "FeatureCollection" {
        let what = format!("is a {}", quote(&collection.kind));
        faults.push(Fault::new(Place { file: file.clone(), line: 1 }, what, "a FeatureCollection"));
        return None;
    }
    projection(collection.crs.as_ref(), &file, faults);
    let mut areas = Areas::default();
    let (mut line, mut counted) = (1, 0);
    for feature in collection.features {
        // The raw text is a slice of the whole, so where it begins tells its line.
        let offset = (feature.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        let offset = offset.clamp(counted, text.len());
        line += super::lines_in(&text.as_bytes()[counted..offset]);
        counted = offset;
        area(feature.get(), Place { file: file.clone(), line }, &mut areas, faults);
    }
    Some(areas)
}

/// An error of the JSON parser, whose lines count from `base`.
fn json_fault(place: &Place, base: u32, error: &serde_json::Error, expected: &str) -> Fault {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or("cannot be read").replace('`', "\"");
    let line = base + error.line() as u32;
    let place = Place { file: place.file.clone(), line };
    if error.is_syntax() || error.is_eof() {
        return match what.strip_prefix("expected ") {
            Some(own) => Fault::new(place, "is not JSON", own),
            None => Fault::new(place, format!("is not JSON: {what}"), expected),
        };
    }
    // What the parser expected in this very place stands before what we did of the whole.
    match what.split_once(", expected ") {
        // Its words are those of its own types.
        Some((what, own)) => {
            let what = what.replace("invalid type: map", "is an object").replace("invalid type:", "is");
            let own = own.replace("a sequence", "a list").replace("a map", "an object");
            Fault::new(place, what, format!("{own} in {expected}"))
        }
        None => Fault::new(place, what, expected),
    }
}

/// What a JSON value is, in words.
fn kind_of(value: &serde_json::Value) -> &'static str {
    match value {
        serde_json::Value::Null => "null",
        serde_json::Value::Bool(_) => "true or false",
        serde_json::Value::Number(_) => "a number",
        serde_json::Value::String(_) => "text of several lines",
        serde_json::Value::Array(_) => "a list",
        serde_json::Value::Object(_) => "an object",
    }
}

/// Coordinates are degrees on WGS-84; a projected file would put every area elsewhere.
fn projection(crs: Option<&serde_json::Value>, file: &Arc<str>, faults: &mut Faults) {
    let Some(crs) = crs.filter(|crs| !crs.is_null()) else { return };
    let name = crs.pointer("/properties/name").and_then(serde_json::Value::as_str).unwrap_or("unnamed");
    if !(name.contains("CRS84") || name.ends_with("4326") || name.ends_with("4490")) {
        let what = format!("has the coordinate system {}", quote(name));
        let fault = Fault::new(Place { file: file.clone(), line: 1 }, what, "degrees on WGS-84 (CRS84)");
        faults.push(fault.hint("export it with EPSG:4326"));
    }
}

fn area(text: &str, place: Place, areas: &mut Areas, faults: &mut Faults) {
    let feature: Feature = match serde_json::from_str(text) {
        Ok(feature) => feature,
        Err(error) => {
            areas.named.tear();
            return faults.push(json_fault(
                &place,
                place.line - 1,
                &error,
                "a GeoJSON Feature with properties",
            ));
        }
    };
    let before = faults.count();
    let mut fault = |what: String, expected: &str| faults.push(Fault::new(place.clone(), what, expected));
    if feature.kind != "Feature" {
        fault(format!("is a {}", quote(&feature.kind)), "a Feature");
    }
    let mut text = |key: &str| match feature.properties.get(key) {
        None | Some(serde_json::Value::Null) => None,
        Some(serde_json::Value::String(text)) if text.is_empty() => None,
        Some(serde_json::Value::String(text)) if Text::parse(text).is_some() => Some(text.trim().to_owned()),
        Some(other) => {
            fault(format!("property {key} is {}", kind_of(other)), Text::EXPECTED);
            None
        }
    };
    let (id, parent) = (text("id"), text("parent"));
    let (name_zh, name_en) = (text("name_zh"), text("name_en"));
    let geocode = text("geocode");
    for key in feature.properties.keys().filter(|key| !PROPERTIES.contains(&key.as_str())) {
        let what = format!("unknown property {}", quote(key));
        let unknown = Fault::new(place.clone(), what, format!("one of {}", list(PROPERTIES)));
        faults.push(unknown.nearest(key, PROPERTIES));
    }
    let Some(id) = id.filter(|id| Id::parse(id).is_some()) else {
        areas.named.tear();
        // One that is no text has been told.
        if faults.count() == before {
            faults.push(Fault::new(place, "has no sound id", Id::EXPECTED));
        }
        return;
    };
    if !areas.named.insert(id.clone()) {
        faults.push(Fault::new(place.clone(), format!("area {} stands twice", quote(&id)), "each id once"));
    }
    if name_zh.is_none() && name_en.is_none() {
        faults.push(Fault::new(
            place.clone(),
            format!("area {} has no name", quote(&id)),
            "name_zh or name_en",
        ));
    }
    let geocode = geocode.and_then(|written| {
        let code = code(&written);
        if code.is_none() {
            let what = format!("area {}: geocode is {}", quote(&id), quote(&written));
            faults.push(Fault::new(place.clone(), what, "SYSTEM=CODE, such as \"adcode=330803\""));
        }
        code
    });
    let polygons = feature.geometry.map_or(Ok(vec![]), |geometry| polygons(&geometry));
    match polygons {
        Ok(polygons) if faults.count() == before => {
            areas.areas.push(Area { place, id, name_zh, name_en, parent, geocode, polygons });
        }
        Ok(_) => {}
        Err((what, expected, hint)) => {
            faults.push(Fault::new(place, format!("area {}: {what}", quote(&id)), expected).hint(hint));
        }
    }
}

type Wrong = (String, &'static str, &'static str);

/// A code and the name of its system.
fn code(written: &str) -> Option<(String, String)> {
    let (system, code) = written.split_once('=')?;
    let (system, code) = (system.trim(), code.trim());
    (!system.is_empty() && !code.is_empty()).then(|| (system.to_owned(), code.to_owned()))
}

fn polygons(geometry: &Geometry) -> Result<Vec<Polygon>, Wrong> {
    let wrong =
        |what: String| (what, "a Polygon or MultiPolygon of closed rings of [longitude, latitude]", "");
    let numbers = |_| wrong("coordinates cannot be read".to_owned());
    let polygons: Vec<Vec<Vec<Vec<f64>>>> = match geometry.kind.as_str() {
        "Polygon" => vec![serde_json::from_value(geometry.coordinates.clone()).map_err(numbers)?],
        "MultiPolygon" => serde_json::from_value(geometry.coordinates.clone()).map_err(numbers)?,
        other => return Err(wrong(format!("is a {}", quote(other)))),
    };
    if polygons.is_empty() || polygons.iter().any(Vec::is_empty) {
        return Err(wrong("has no ring".to_owned()));
    }
    polygons.iter().map(|rings| rings.iter().map(|ring| closed(ring)).collect()).collect()
}

fn closed(ring: &[Vec<f64>]) -> Result<Vec<[f64; 2]>, Wrong> {
    let mut points = vec![];
    for position in ring {
        // A third number is the altitude, which an outline does not need.
        let &[lon, lat, ..] = position.as_slice() else {
            return Err(("a position has less than two numbers".to_owned(), "[longitude, latitude]", ""));
        };
        if let Err(hint) = on_globe(lat, lon) {
            let what = format!("position [{lon}, {lat}] is not on the globe");
            let hint =
                if hint.is_empty() { "" } else { "GeoJSON has the longitude first: are they swapped?" };
            return Err((what, "[longitude, latitude] in degrees", hint));
        }
        points.push([lon, lat]);
    }
    if points.len() < 4 {
        return Err((
            format!("a ring has {} positions", points.len()),
            "four at least, the last as the first",
            "",
        ));
    }
    if points.first() != points.last() {
        return Err(("a ring is not closed".to_owned(), "the last position as the first", ""));
    }
    let twice_area: f64 =
        points.windows(2).map(|pair| pair[0][0] * pair[1][1] - pair[1][0] * pair[0][1]).sum();
    if twice_area.abs() < 1e-12 {
        return Err(("a ring encloses nothing".to_owned(), "a ring around an area", ""));
    }
    // What lies within one that does is anybody's guess, and no CAP alert may have it.
    if crosses_itself(&points) {
        return Err(("a ring crosses itself".to_owned(), "a ring whose sides only meet at its corners", ""));
    }
    Ok(points)
}
