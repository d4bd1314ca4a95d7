//! The one file that asks the time.
