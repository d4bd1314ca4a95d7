//! The command `forewarn`.

fn main() {}
