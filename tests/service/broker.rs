//! Through a real mosquitto, and its restarts.
