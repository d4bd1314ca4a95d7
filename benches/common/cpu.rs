//! How long a process or a thread has had a processor.

/// Ticks a second in `/proc`: 100 on every architecture the service is built for.
const TICKS: f64 = 100.0;

/// Of this thread.
pub(crate) const THREAD: &str = "/proc/thread-self/stat";

/// Processor seconds used, in user and in kernel mode, as such a file of procfs says.
pub(crate) fn used_secs(stat: &str) -> Option<f64> {
    let stat = std::fs::read_to_string(stat).ok()?;
    // The name, in brackets, may hold anything; the state after it is the third field.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(14 - 3);
    let mut next = || fields.next()?.parse::<f64>().ok();
    Some((next()? + next()?) / TICKS)
}
