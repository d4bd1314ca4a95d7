//! The description, for programs and for people.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::http::Doors;
use crate::http::login::{escaped, framed};

/// `GET /api/openapi.json`.
pub(super) async fn document(State(doors): State<Doors>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], doors.api.document.clone()).into_response()
}

/// `GET /api`: the same as a page, made of the same document.
pub(in crate::http) async fn show(State(doors): State<Doors>) -> Response {
    let document: Value = serde_json::from_slice(&doors.api.document).unwrap_or_default();
    let paths = document["paths"].as_object();
    let operations = paths.into_iter().flatten().flat_map(|(path, methods)| {
        let methods = methods.as_object();
        methods.into_iter().flatten().map(move |(method, operation)| section(path, method, operation))
    });
    let body: String = operations.collect();
    framed(
        "Forewarn API",
        &format!(
            r#"<p lang="en">The same for programs: <a href="/api/openapi.json">openapi.json</a> (OpenAPI 3.1).
A token is made by <code>forewarn tokens add</code> and sent as <code>Authorization: Bearer TOKEN</code>.</p>
<div lang="en">{body}</div><p><a href="/logout">退出 <span lang="en">Log out</span></a></p>"#
        ),
    )
}

fn section(path: &str, method: &str, operation: &Value) -> String {
    let text = |value: &Value| escaped(value.as_str().unwrap_or_default());
    let rows: Vec<String> = operation["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|it| format!("<tr><td><code>{}</code><td>{}", text(&it["name"]), text(&it["description"])))
        .collect();
    let parameters =
        if rows.is_empty() { String::new() } else { format!("<table>{}</table>", rows.concat()) };
    format!(
        "<h2><code>{} {}</code></h2><p>{}. {}</p>{parameters}",
        method.to_uppercase(),
        escaped(path),
        text(&operation["summary"]),
        text(&operation["description"])
    )
}
