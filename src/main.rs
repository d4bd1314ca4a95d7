//! The command `forewarn`.

use std::io::{self, BufWriter};
use std::process::ExitCode;

use forewarn::cli::{self, Paint, Surroundings};

/// Many small allocations from many threads: the system's own allocator keeps more than it gives.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const _: () = assert!(
    option_env!("JEMALLOC_SYS_WITH_MALLOC_CONF").is_some(),
    "the allocator's settings are missing: cargo reads them from .cargo/config.toml, and only inside the repository"
);

fn main() -> ExitCode {
    let command = cli::parse();
    let (mut out, mut err) = (BufWriter::new(io::stdout()), io::stderr());
    let mut around = Surroundings {
        out: &mut out,
        err: &mut err,
        paint: Paint::of_stdout(),
        now: forewarn::clock::wall(),
        env: &|name| std::env::var(name).ok(),
    };
    ExitCode::from(cli::handle(command, &mut around).code())
}
