//! Stopped, killed and started again.
