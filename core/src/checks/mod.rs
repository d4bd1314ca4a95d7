//! The family of quality checks: one file a check, one QARTOD flag each.
