//! The description of the API, `OpenAPI` 3.1: its schemas are JSON Schema
//! 2020-12, as `schemars` makes them of the views themselves, so that no second
//! description of a field can differ from the first.

use schemars::JsonSchema;
use serde_json::{Map, Value, json};

use super::table::{Answer, Opens, Operation, Route, Schemas, described};
use crate::http::problem::Problem;

/// The description; `C` is what commands look like.
pub fn document<C: JsonSchema>() -> Value {
    let mut schemas = Schemas::new();
    let routes = described::<C>(&mut schemas);
    let problem = schemas.answers.subschema_for::<Problem>().to_value();
    let mut paths = Map::new();
    for Route { path, operation, .. } in &routes {
        let entry = paths.entry(*path).or_insert_with(|| json!({}));
        if let Some(entry) = entry.as_object_mut() {
            entry.insert(operation.method.to_owned(), described_operation(path, operation, &problem));
        }
    }
    let mut components = schemas.answers.take_definitions(true);
    components.extend(schemas.bodies.take_definitions(true));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Forewarn",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
            "description": "Early warning: readings in, warnings out. Times are RFC 3339, values stand in the \
                            unit beside them. Unknown is never safe.",
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {
                    "type": "http", "scheme": "bearer",
                    "description": "`forewarn tokens add`; of integrators and the operator as forewarn.toml names them.",
                },
                "session": {
                    "type": "apiKey", "in": "cookie", "name": "forewarn",
                    "description": "Of a browser that logged in; `__Host-forewarn` where site.url is https. What \
                                    changes something needs the header `x-forewarn-form` as well.",
                },
            },
        },
    })
}

fn described_operation(path: &str, operation: &Operation, problem: &Value) -> Value {
    let Operation { id, summary, says, opens, queries, body, answer, .. } = operation;
    let in_path = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let in_path = in_path
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    let in_query = queries.iter().map(|query| {
        let kind = if query.number { "integer" } else { "string" };
        json!({ "name": query.name, "in": "query", "description": query.says, "schema": { "type": kind } })
    });
    let (code, good) = match answer {
        Answer::Json(schema) => {
            ("200", json!({ "description": "Done", "content": { "application/json": { "schema": schema } } }))
        }
        Answer::Text(kind) => {
            let text = json!({ "schema": { "type": "string" } });
            ("200", json!({ "description": "Done", "content": { (*kind): text } }))
        }
        Answer::Nothing => ("204", json!({ "description": "Done" })),
    };
    let mut described = json!({
        "operationId": id,
        "summary": summary,
        "parameters": in_path.chain(in_query).collect::<Vec<_>>(),
        "responses": {
            (code): good,
            "default": {
                "description": "A problem, as RFC 9457 has it",
                "content": { "application/problem+json": { "schema": problem } },
            },
        },
    });
    let Some(entry) = described.as_object_mut() else { return described };
    let says = match opens {
        Opens::Role(role) => format!("{says} Takes the role {role} or above.").trim().to_owned(),
        Opens::Operator => {
            format!("{says} Takes http.operator_token, or an administrator's token.").trim().to_owned()
        }
        Opens::Anyone | Opens::Integrator => (*says).to_owned(),
    };
    entry.insert("description".to_owned(), says.into());
    let security = match opens {
        Opens::Anyone => json!([]),
        Opens::Integrator => json!([{ "token": [] }]),
        Opens::Operator | Opens::Role(_) => json!([{ "token": [] }, { "session": [] }]),
    };
    entry.insert("security".to_owned(), security);
    if let Some((kind, schema)) = body {
        let content = json!({ "required": true, "content": { (*kind): { "schema": schema } } });
        entry.insert("requestBody".to_owned(), content);
    }
    described
}
