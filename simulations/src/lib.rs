//! Worlds that pretend: phenomena, faults, scenarios.
