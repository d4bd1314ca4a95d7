//! Extreme values, rot, secrets, a second process.
