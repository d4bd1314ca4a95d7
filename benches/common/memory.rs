//! How much memory this process holds.

/// Bytes of a page, as Linux counts in `statm` on every machine this is run on.
const PAGE: usize = 4096;

/// Resident bytes of this process; `None` where there is no procfs.
pub(crate) fn resident() -> Option<usize> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(statm.split_whitespace().nth(1)?.parse::<usize>().ok()? * PAGE)
}
