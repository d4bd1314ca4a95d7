//! Prints the one table of `make bench`: each figure that the benches before it
//! added, beside what it should reach and the bare baseline of the same run.

#![expect(clippy::print_stdout, reason = "a bench's figures go to standard output")]

mod common;

fn main() {
    println!("\n{}", common::figures::table());
}
