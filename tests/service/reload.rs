//! Reloading under way: new gauges, faulty files, vanished areas, revoked devices.
