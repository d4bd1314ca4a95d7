//! Contestants side by side: criterion measures each, and a table at the end
//! says how they stand to one another. On a machine with other work the ratio
//! means more than either figure.

#![expect(clippy::print_stdout, reason = "a bench's figures go to standard output")]

use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, Throughput};

/// Samples a contestant; the table gives their median.
const SAMPLES: usize = 10;

/// How long each contestant is measured, and warmed up before.
const MEASURE: Duration = Duration::from_millis(1_500);
const WARM_UP: Duration = Duration::from_millis(300);

/// Runs so many rounds and says how long they took.
pub(crate) type Rounds<'a> = Box<dyn FnMut(u64) -> Duration + 'a>;

/// One of those that are compared.
pub(crate) struct Contestant<'a> {
    name: &'static str,
    rounds: Rounds<'a>,
}

impl<'a> Contestant<'a> {
    /// One whose every round is timed whole.
    pub(crate) fn new(name: &'static str, mut round: impl FnMut() + 'a) -> Contestant<'a> {
        Contestant::timing_itself(name, move |rounds| {
            let began = Instant::now();
            (0..rounds).for_each(|_| round());
            began.elapsed()
        })
    }

    /// One that says itself how long its rounds took, preparations aside.
    pub(crate) fn timing_itself(
        name: &'static str,
        rounds: impl FnMut(u64) -> Duration + 'a,
    ) -> Contestant<'a> {
        Contestant { name, rounds: Box::new(rounds) }
    }
}

/// Measured figures, in the order of measuring.
pub(crate) struct Table {
    title: &'static str,
    criterion: Criterion,
    lines: Vec<String>,
}

impl Table {
    /// An empty one; the arguments of the command line choose what is measured.
    pub(crate) fn new(title: &'static str) -> Table {
        let criterion = Criterion::default()
            .sample_size(SAMPLES)
            .measurement_time(MEASURE)
            .warm_up_time(WARM_UP)
            .configure_from_args();
        Table { title, criterion, lines: vec![] }
    }

    /// Measures contestants, each of whose rounds takes so many readings. The
    /// first is ours; the others are what it is held against. Returns what a
    /// reading took each, in nanoseconds; nothing where the command line left them out.
    pub(crate) fn compare(
        &mut self,
        what: &str,
        readings: u64,
        contestants: Vec<Contestant<'_>>,
    ) -> Vec<f64> {
        let mut group = self.criterion.benchmark_group(what);
        group.throughput(Throughput::Elements(readings)).sampling_mode(SamplingMode::Flat);
        let mut medians = vec![];
        for Contestant { name, mut rounds } in contestants {
            let mut samples = vec![];
            group.bench_function(name, |bencher| {
                bencher.iter_custom(|count| {
                    let took = rounds(count);
                    samples.push(took.as_secs_f64() * 1e9 / (count * readings) as f64);
                    took
                });
            });
            // What came before the last of them was warming up.
            let mut measured = samples.split_off(samples.len().saturating_sub(SAMPLES));
            measured.sort_by(f64::total_cmp);
            medians.extend(measured.get(measured.len() / 2).map(|median| (name, *median)));
        }
        group.finish();
        let Some(&(_, ours)) = medians.first() else { return vec![] };
        for &(name, median) in &medians {
            let ratio = ours / median;
            self.lines.push(format!("{what:<34} {name:<10} {median:>12.1} ns a reading  {ratio:>8.2}"));
        }
        medians.into_iter().map(|(_, median)| median).collect()
    }

    /// A figure that is no time.
    pub(crate) fn note(&mut self, line: String) {
        self.lines.push(line);
    }

    /// Prints the table.
    pub(crate) fn print(self) {
        self.criterion.final_summary();
        println!("\n{} (the last column: ours over this one)", self.title);
        self.lines.iter().for_each(|line| println!("  {line}"));
    }
}
