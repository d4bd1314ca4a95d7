//! How warnings are published as CAP alerts, and where areas lie.

use std::collections::BTreeMap;

/// How warnings are published as CAP alerts, and who may read them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cap {
    /// Whether everybody who reaches the HTTP server may read them.
    pub public: bool,
    /// Who sends them: no space, comma, `<` or `&` in it.
    pub sender: String,
    /// The object identifier that identifiers begin with, where one is registered.
    pub oid: Option<String>,
    /// Categories of hazards, by name.
    pub categories: BTreeMap<String, Category>,
}

impl Default for Cap {
    fn default() -> Self {
        Cap { public: false, sender: "forewarn".into(), oid: None, categories: BTreeMap::new() }
    }
}

/// CAP `category`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// Geophysical, landslides included.
    Geo,
    /// Meteorological, floods included.
    Met,
    /// General emergency and public safety.
    Safety,
    /// Law enforcement and security.
    Security,
    /// Rescue and recovery.
    Rescue,
    /// Fire suppression and rescue.
    Fire,
    /// Medical and public health.
    Health,
    /// Pollution and other environmental.
    Env,
    /// Public and private transport.
    Transport,
    /// Utility, telecommunication, other infrastructure.
    Infra,
    /// Chemical, biological, radiological, nuclear, explosive.
    Cbrne,
    /// Anything else.
    Other,
}

impl Category {
    /// Every category, in CAP's order.
    pub const ALL: [Category; 12] = [
        Category::Geo,
        Category::Met,
        Category::Safety,
        Category::Security,
        Category::Rescue,
        Category::Fire,
        Category::Health,
        Category::Env,
        Category::Transport,
        Category::Infra,
        Category::Cbrne,
        Category::Other,
    ];

    /// The word CAP uses.
    pub const fn word(self) -> &'static str {
        match self {
            Category::Geo => "Geo",
            Category::Met => "Met",
            Category::Safety => "Safety",
            Category::Security => "Security",
            Category::Rescue => "Rescue",
            Category::Fire => "Fire",
            Category::Health => "Health",
            Category::Env => "Env",
            Category::Transport => "Transport",
            Category::Infra => "Infra",
            Category::Cbrne => "CBRNE",
            Category::Other => "Other",
        }
    }
}

/// Where an area lies.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outline {
    /// The outer ring of each of its polygons, longitude before latitude, the
    /// last position as the first. Holes are left out: CAP cannot say them.
    pub polygons: Vec<Vec<[f64; 2]>>,
    /// The area in a system of codes: the system's name and the code.
    pub geocode: Option<(String, String)>,
}

/// Whether two sides of a closed ring cross each other.
pub fn crosses_itself(ring: &[[f64; 2]]) -> bool {
    let mut sides: Vec<[[f64; 2]; 2]> = ring
        .windows(2)
        .map(|pair| if pair[0][0] <= pair[1][0] { [pair[0], pair[1]] } else { [pair[1], pair[0]] })
        .collect();
    // From west to east, so that a side is held only against those it can meet.
    sides.sort_by(|one, other| one[0][0].total_cmp(&other[0][0]));
    sides.iter().enumerate().any(|(nth, side)| {
        let beside = sides[nth + 1..].iter().take_while(|other| other[0][0] <= side[1][0]);
        beside.into_iter().any(|other| cross(*side, *other))
    })
}

/// Whether each side has an end on either hand of the other; sides that only touch do not cross.
fn cross([a, b]: [[f64; 2]; 2], [c, d]: [[f64; 2]; 2]) -> bool {
    let turn =
        |p: [f64; 2], q: [f64; 2], r: [f64; 2]| (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]);
    turn(a, b, c) * turn(a, b, d) < 0.0 && turn(c, d, a) * turn(c, d, b) < 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_that_crosses_itself_is_known_by_it() {
        let check = |ring: &[[f64; 2]], crosses| assert_eq!(crosses_itself(ring), crosses, "{ring:?}");
        check(&[[0., 0.], [1., 0.], [1., 1.], [0., 1.], [0., 0.]], false);
        check(&[[0., 0.], [1., 1.], [1., 0.], [0., 1.], [0., 0.]], true);
        // A bay that comes close, and a spit that is only touched.
        check(&[[0., 0.], [4., 0.], [4., 4.], [2., 0.1], [0., 4.], [0., 0.]], false);
        check(&[[0., 0.], [4., 0.], [4., 4.], [2., 0.0], [0., 4.], [0., 0.]], false);
        check(&[[0., 0.], [4., 0.], [4., 4.], [2., -0.1], [0., 4.], [0., 0.]], true);
    }
}
