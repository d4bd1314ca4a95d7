//! Tests of the courier.
