//! An alert as XML: every element in the order that the schema wants.

use std::fmt::Write as _;

use super::alert::{Alert, Area, Info, Reference, Scope};
use super::write::Document;

/// The namespace of CAP 1.2.
pub const NAMESPACE: &str = "urn:oasis:names:tc:emergency:cap:1.2";

/// As what an alert is served.
pub const MEDIA_TYPE: &str = "application/cap+xml";

/// Writes it.
pub fn xml(alert: &Alert) -> String {
    let mut document = Document::new();
    document.element("alert", &[("xmlns", NAMESPACE)], |document| {
        document.text("identifier", &alert.identifier);
        document.text("sender", &alert.sender);
        document.text("sent", &alert.sent.text);
        document.text("status", alert.status.word());
        document.text("msgType", alert.kind.word());
        document.text("scope", alert.scope.word());
        match &alert.scope {
            Scope::Restricted(to) => document.some("restriction", Some(to)),
            Scope::Public => {}
        }
        document.some("note", alert.note.as_deref());
        let references: Vec<String> = alert.references.iter().map(reference).collect();
        document.some("references", Some(&references.join(" ")));
        document.some("incidents", Some(&alert.incident));
        alert.infos.iter().for_each(|it| info(document, it));
    });
    document.done()
}

fn reference(to: &Reference) -> String {
    format!("{},{},{}", to.sender, to.identifier, to.sent.text)
}

fn info(document: &mut Document, info: &Info) {
    document.element("info", &[], |document| {
        document.text("language", &info.language);
        document.text("category", info.category.word());
        document.text("event", &info.event);
        document.text("responseType", info.response.word());
        document.text("urgency", info.urgency.word());
        document.text("severity", info.severity.word());
        document.text("certainty", info.certainty.word());
        pair(document, "eventCode", "forewarn:hazard", &info.hazard);
        document.text("onset", &info.onset.text);
        document.text("expires", &info.expires.text);
        document.some("senderName", Some(&info.sender_name));
        document.some("headline", Some(&info.headline));
        document.some("description", Some(&info.description));
        document.some("instruction", Some(&info.instruction));
        document.some("web", info.web.as_deref());
        info.parameters.iter().for_each(|(name, value)| pair(document, "parameter", name, value));
        info.areas.iter().for_each(|it| area(document, it));
    });
}

fn pair(document: &mut Document, element: &str, name: &str, value: &str) {
    document.element(element, &[], |document| {
        document.text("valueName", name);
        document.text("value", value);
    });
}

fn area(document: &mut Document, area: &Area) {
    document.element("area", &[], |document| {
        document.text("areaDesc", &area.description);
        for ring in &area.polygons {
            document.text("polygon", &polygon(ring));
        }
        area.geocodes.iter().for_each(|(name, value)| pair(document, "geocode", name, value));
    });
}

/// Each position whole, as configuration has it: a rounded outline may cross itself.
fn polygon(ring: &[(f64, f64)]) -> String {
    let mut text = String::new();
    for (nth, (lat, lon)) in ring.iter().enumerate() {
        // Writing into a String cannot fail.
        let _ = write!(text, "{}{lat},{lon}", if nth == 0 { "" } else { " " });
    }
    text
}
