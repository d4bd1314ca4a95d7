//! Whether a request that changes something comes from a page of ours.

use axum::http::{HeaderMap, header};

/// False where the browser says that another site made it ask (`Origin`, `Sec-Fetch-Site`).
/// What sends neither is no browser of today; the form's token then decides alone.
pub(super) fn is_ours(headers: &HeaderMap, url: Option<&str>) -> bool {
    let text = |name| headers.get(name).map(|value: &header::HeaderValue| value.to_str().unwrap_or("?"));
    let fetched = text(header::HeaderName::from_static("sec-fetch-site"));
    if fetched.is_some_and(|site| site != "same-origin" && site != "none") {
        return false;
    }
    let Some(origin) = text(header::ORIGIN) else { return true };
    let origin_of = |url: &str| reqwest::Url::parse(url).ok().map(|url| url.origin().ascii_serialization());
    if url.and_then(origin_of).is_some_and(|ours| ours == origin) {
        return true;
    }
    // Reached by another name than the public one: from the machine itself, or where none is set.
    let host = text(header::HOST).unwrap_or_default();
    origin.split_once("://").is_some_and(|(_, authority)| !host.is_empty() && authority == host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_site_is_known_by_what_the_browser_says() {
        let check = |origin: Option<&str>, fetched: Option<&str>, expected: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "127.0.0.1:8080".parse().expect("a value"));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().expect("a value"));
            }
            if let Some(fetched) = fetched {
                headers.insert("sec-fetch-site", fetched.parse().expect("a value"));
            }
            let ours = is_ours(&headers, Some("https://warn.example.org/below"));
            assert_eq!(ours, expected, "{origin:?} {fetched:?}");
        };
        check(None, None, true);
        check(Some("https://warn.example.org"), Some("same-origin"), true);
        check(Some("http://127.0.0.1:8080"), None, true);
        check(Some("http://127.0.0.1:8081"), None, false);
        check(Some("https://evil.example"), None, false);
        check(Some("https://warn.example.org.evil.example"), None, false);
        check(Some("null"), None, false);
        check(Some("https://warn.example.org"), Some("cross-site"), false);
        check(None, Some("same-site"), false);
        check(None, Some("none"), true);
    }
}
