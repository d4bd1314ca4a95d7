//! The process itself, as Prometheus names it everywhere; read from `/proc` at
//! every scrape. What the system does not tell is left out.

use std::fmt::Write as _;
use std::fs;

use rustix::process::{Resource, getrlimit};

/// Clock ticks a second in `/proc`: the kernel's `USER_HZ`, 100 on every
/// architecture the service is built for.
const TICKS_A_SECOND: f64 = 100.0;

/// The metrics in the text format.
pub(super) fn metrics() -> String {
    let (cpu, started) = times().map_or((None, None), |(cpu, started)| (Some(cpu), started));
    let mut text = String::new();
    for (name, kind, value) in [
        ("process_cpu_seconds_total", "counter", cpu),
        ("process_resident_memory_bytes", "gauge", resident()),
        ("process_open_fds", "gauge", open_files()),
        ("process_max_fds", "gauge", getrlimit(Resource::Nofile).current.map(|max| max as f64)),
        ("process_start_time_seconds", "gauge", started),
    ] {
        if let Some(value) = value {
            // Writing into a String cannot fail.
            let _ = write!(text, "# TYPE {name} {kind}\n{name} {value}\n\n");
        }
    }
    text
}

/// Processor seconds used, and when it started, in seconds since 1970 (proc(5), `stat`).
fn times() -> Option<(f64, Option<f64>)> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // Its name, in brackets, may hold anything; the state after it is the third field.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let seconds = |field: usize| Some(fields.get(field - 3)?.parse::<f64>().ok()? / TICKS_A_SECOND);
    let cpu = seconds(14)? + seconds(15)?;
    Some((cpu, seconds(22).zip(booted()).map(|(after_boot, booted)| booted + after_boot)))
}

/// When the machine started, seconds since 1970.
fn booted() -> Option<f64> {
    value_of(&fs::read_to_string("/proc/stat").ok()?, "btime")
}

/// Bytes in memory.
fn resident() -> Option<f64> {
    let kibibytes = value_of(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")?;
    Some(kibibytes * 1024.0)
}

/// Open files, the one that lists them not counted.
fn open_files() -> Option<f64> {
    let open = fs::read_dir("/proc/self/fd").ok()?.count();
    Some(open.saturating_sub(1) as f64)
}

/// The number after a word at the beginning of a line.
fn value_of(text: &str, word: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(word))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_tells_of_itself() {
        let told = metrics();
        for (name, least) in [
            ("process_cpu_seconds_total", 0.0),
            ("process_resident_memory_bytes", 100_000.0),
            ("process_open_fds", 3.0),
            ("process_max_fds", 3.0),
            ("process_start_time_seconds", 1.0e9),
        ] {
            let value = value_of(&told, &format!("{name} "));
            assert!(value.is_some_and(|value| value >= least), "{name}: {told}");
        }
    }
}
