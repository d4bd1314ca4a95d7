//! How many segments a text message takes: 160 characters of the GSM alphabet
//! or 70 others in one; 153 or 67 in each of several, which bear a header
//! (3GPP TS 23.038, TS 23.040).

/// The basic alphabet of GSM 03.38, one septet each.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡\
                     ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";

/// The extension table, two septets each.
const EXTENDED: &str = "\u{c}^{}\\[~]|€";

/// Segments that a text takes.
pub(super) fn segments(text: &str) -> usize {
    match text.chars().map(septets).collect::<Option<Vec<usize>>>() {
        Some(units) => parts(&units, 160, 153),
        None => parts(&text.chars().map(char::len_utf16).collect::<Vec<_>>(), 70, 67),
    }
}

/// Segments of units that are not parted: an escaped character, a surrogate pair.
fn parts(units: &[usize], alone: usize, together: usize) -> usize {
    if units.iter().sum::<usize>() <= alone {
        return 1;
    }
    let (mut parts, mut room) = (0, 0);
    for &unit in units {
        if unit > room {
            (parts, room) = (parts + 1, together);
        }
        room -= unit;
    }
    parts
}

fn septets(c: char) -> Option<usize> {
    match c {
        _ if BASIC.contains(c) => Some(1),
        _ if EXTENDED.contains(c) => Some(2),
        _ => None,
    }
}

/// The text in the GSM alphabet where a few signs are all that keeps it out:
/// one of them would cost more than half of each segment.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '²' => plain.push('2'),
            '³' => plain.push('3'),
            'µ' | 'μ' => plain.push('u'),
            '°' if rest.peek().is_some_and(|next| matches!(next, 'C' | 'F')) => {}
            // A slope's, which would lose its unit.
            '°' => plain.push_str("deg"),
            '’' | '‘' => plain.push('\''),
            '“' | '”' => plain.push('"'),
            '–' | '—' => plain.push('-'),
            '…' => plain.push_str("..."),
            '\u{a0}' => plain.push(' '),
            _ => plain.push(c),
        }
    }
    if plain.chars().all(|c| septets(c).is_some()) { plain } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_counted_as_networks_count_them() {
        for (text, expected) in [
            (String::new(), 1),
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(306), 2),
            ("a".repeat(307), 3),
            // An escape and its character are not parted: 152 and one of two do not share a segment.
            ("€".repeat(80), 1),
            ("€".repeat(81), 2),
            (format!("{}€{}", "a".repeat(152), "a".repeat(151)), 2),
            (format!("{}€{}", "a".repeat(152), "a".repeat(152)), 3),
            ("水".repeat(70), 1),
            ("水".repeat(71), 2),
            ("水".repeat(134), 2),
            ("水".repeat(135), 3),
            // One other sign, and all of it is counted by the shorter rule.
            (format!("{}水", "a".repeat(70)), 2),
            ("😀".repeat(35), 1),
            ("😀".repeat(36), 2),
            (format!("{}{}", "a".repeat(66), "😀".repeat(3)), 2),
        ] {
            assert_eq!(segments(&text), expected, "{} of {text:.3}", text.chars().count());
        }
    }

    #[test]
    fn a_few_signs_do_not_halve_a_text() {
        assert_eq!(plain("31.2 °C, 80.0 µg/m³ – it’s…"), "31.2 C, 80.0 ug/m3 - it's...");
        assert_eq!(plain("tilt 2.0 °, limit 1.5°"), "tilt 2.0 deg, limit 1.5deg");
        // Where it stays out all the same, it stays as it was.
        assert_eq!(plain("水 31.2 °C"), "水 31.2 °C");
    }
}
