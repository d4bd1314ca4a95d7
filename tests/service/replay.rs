//! A running service equals the replay of its own log.
