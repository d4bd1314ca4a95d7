//! The shape of every file, for editors and for the manual: JSON Schema of the
//! TOML files, and the columns of the CSV files.

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Value, json};

use super::raw::sheet::{Column, Need};
use super::raw::{areas, channels, contacts, devices, drill, forewarn_toml, limits, routes, rules, sensors};

/// The files that have a schema, by the names they are asked for.
pub const FILES: [&str; 10] = [
    "forewarn.toml",
    "drill/drill.toml",
    "rules",
    "routes.toml",
    "sensors.csv",
    "devices.csv",
    "limits.csv",
    "contacts.csv",
    "areas.geojson",
    "channels",
];

/// The schema of one file; `None` for a name not among [`FILES`].
pub fn schema(file: &str) -> Option<Value> {
    match file {
        "forewarn.toml" => Some(of::<forewarn_toml::Main>("forewarn.toml")),
        "drill/drill.toml" => Some(of::<drill::Drill>(file)),
        "rules" => Some(rule_file()),
        "routes.toml" => Some(of::<routes::Routes>("routes.toml")),
        "sensors.csv" => Some(columns(file, sensors::COLUMNS)),
        "devices.csv" => Some(columns(file, devices::COLUMNS)),
        "limits.csv" => Some(columns(file, limits::COLUMNS)),
        "contacts.csv" => Some(columns(file, contacts::COLUMNS)),
        "areas.geojson" => Some(geojson()),
        "channels" => Some(of::<channels::Recipe>("channels")),
        _ => None,
    }
}

/// The schemas of all files, by name.
pub fn all() -> Value {
    let schemas = FILES.iter().filter_map(|file| Some(((*file).to_owned(), schema(file)?)));
    Value::Object(schemas.collect())
}

fn of<T: JsonSchema>(title: &str) -> Value {
    let generator = SchemaGenerator::new(SchemaSettings::draft2020_12());
    let mut schema = generator.into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema.to_value()
}

/// A file of rules: one at its top, or several by name.
fn rule_file() -> Value {
    let mut body = of::<rules::Body>("rules/*.toml");
    let definitions = body.as_object_mut().and_then(|body| body.remove("$defs")).unwrap_or(json!({}));
    if let Some(body) = body.as_object_mut() {
        body.remove("$schema");
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "rules/*.toml",
        "anyOf": [
            body.clone(),
            {
                "type": "object",
                "properties": { "rules": { "type": "object", "additionalProperties": body } },
                "required": ["rules"],
                "additionalProperties": false,
            },
        ],
        "$defs": definitions,
    })
}

/// A CSV file as a table of columns: a row is an object of strings.
fn columns(title: &str, columns: &[Column]) -> Value {
    let properties: serde_json::Map<String, Value> = columns
        .iter()
        .map(|column| (column.name.to_owned(), json!({ "type": "string", "description": column.means })))
        .collect();
    let required: Vec<&str> =
        columns.iter().filter(|column| column.need == Need::Must).map(|column| column.name).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "description": "One object a row; the keys are the columns of the header.",
        "type": "array",
        "items": {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        },
        "x-columns": columns.iter().map(|column| column.name).collect::<Vec<_>>(),
    })
}

fn geojson() -> Value {
    let text = |description: &str| json!({ "type": "string", "description": description });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "areas.geojson",
        "type": "object",
        "properties": {
            "type": { "const": "FeatureCollection" },
            "features": { "type": "array", "items": {
                "type": "object",
                "properties": {
                    "type": { "const": "Feature" },
                    "properties": {
                        "type": "object",
                        "properties": {
                            "id": text("name of the area for sensors.csv, contacts.csv and routes.toml"),
                            "name_zh": text("Chinese name"),
                            "name_en": text("English name; one of the two is mandatory"),
                            "parent": text("id of the area it lies in"),
                            "geocode": text("SYSTEM=CODE for CAP alerts, such as adcode=330803"),
                        },
                        "required": ["id"],
                        "additionalProperties": false,
                        "propertyNames": { "enum": areas::PROPERTIES },
                    },
                    "geometry": { "description": "Polygon or MultiPolygon in degrees on WGS-84, or null" },
                },
                "required": ["type", "properties"],
            } },
        },
        "required": ["type", "features"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_schema_and_every_key_its_meaning() {
        for file in FILES {
            let schema = schema(file).expect(file);
            assert_eq!(schema["title"], file.replace("rules", "rules/*.toml").as_str(), "{file}");
        }
        let main = schema("forewarn.toml").expect("is there");
        for (key, property) in main["properties"].as_object().expect("an object") {
            let text = property.to_string();
            assert!(text.contains("description"), "{key}: {text}");
        }
        assert_eq!(main["additionalProperties"], false);
    }

    #[test]
    fn a_rule_names_every_kind() {
        let text = schema("rules").expect("is there").to_string();
        for (kind, _) in forewarn_core::rules::AnyRule::KINDS {
            assert!(text.contains(&format!("\"{kind}\"")), "{kind}");
        }
    }
}
