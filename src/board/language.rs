//! Which language a reader gets: the one they chose, else the first that their
//! browser asks for and that there are words in.

/// The tag to show a page in; `known` begins with the last resort.
pub fn choose<'a>(known: &[&'a str], chosen: Option<&str>, accepted: &str) -> &'a str {
    let find = |wanted: &str| {
        let wanted = wanted.to_ascii_lowercase();
        let primary = wanted.split('-').next().unwrap_or_default();
        known.iter().copied().find(|tag| *tag == wanted || *tag == primary)
    };
    let mut asked: Vec<(u32, &str)> = accepted.split(',').filter_map(preference).collect();
    // A stable sort: of two equally liked ones the first stays first.
    asked.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    let asked = || asked.iter().find_map(|(_, tag)| find(tag));
    chosen.and_then(find).or_else(asked).or(known.first().copied()).unwrap_or("en")
}

/// One entry of `Accept-Language` (RFC 9110, 12.5.4): weight in thousandths, and tag.
fn preference(entry: &str) -> Option<(u32, &str)> {
    let (tag, weight) = entry.split_once(';').unwrap_or((entry, "q=1"));
    let weight: f64 = weight.trim().strip_prefix("q=")?.trim().parse().ok()?;
    let thousandths = (weight.clamp(0.0, 1.0) * 1000.0) as u32;
    (thousandths > 0).then_some((thousandths, tag.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_language_goes_before_the_browsers() {
        for (chosen, accepted, expected) in [
            (None, "", "zh"),
            (None, "en-GB,en;q=0.9", "en"),
            (None, "fr, en;q=0.4, zh;q=0.8", "zh"),
            (None, "zh-Hant-TW", "zh"),
            (None, "en;q=0", "zh"),
            (None, "fr", "zh"),
            (Some("en"), "zh", "en"),
            (Some("xx"), "en", "en"),
            (Some("EN"), "zh", "en"),
        ] {
            assert_eq!(choose(&["zh", "en"], chosen, accepted), expected, "{chosen:?} {accepted}");
        }
    }
}
