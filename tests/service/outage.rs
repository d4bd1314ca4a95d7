//! A gateway lost, a gauge lost mid-flood.
