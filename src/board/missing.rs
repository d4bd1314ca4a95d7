//! Where nothing stands.

use minijinja::context;

use super::Draft;

/// Draws it.
pub fn draw() -> Draft {
    Draft { template: "missing.html", content: context! {} }
}
