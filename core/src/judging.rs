//! The area stage: votes, incidents, warnings, routing.
