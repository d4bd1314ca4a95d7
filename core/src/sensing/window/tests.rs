use proptest::prelude::*;

use super::*;

fn ring(capacity: usize, times: &[i64]) -> Ring {
    let mut ring = Ring::with_capacity(capacity);
    for &at in times {
        if ring.is_full() {
            ring.pop_oldest();
        }
        let number = ring.find(Timestamp(at)).expect_err("times differ");
        ring.insert(number, Sample { observed: Timestamp(at), ..Sample::default() });
    }
    ring
}

fn check(capacity: usize, times: &[i64], expected: &[i64], first: u64) {
    let ring = ring(capacity, times);
    let got: Vec<i64> = ring.iter().map(|sample| sample.observed.0).collect();
    assert_eq!(got, expected, "{times:?}");
    assert_eq!(ring.first(), first, "{times:?}");
    for (offset, &at) in expected.iter().enumerate() {
        assert_eq!(ring.find(Timestamp(at)), Ok(first + offset as u64));
    }
    assert_eq!(ring.resized(capacity + 3).iter().map(|s| s.observed.0).collect::<Vec<_>>(), expected);
    assert_eq!(ring.resized(1).newest(), ring.newest());
}

#[test]
fn a_ring_keeps_the_newest_in_event_time_order() {
    check(4, &[1, 2, 3], &[1, 2, 3], 0);
    check(4, &[3, 1, 2], &[1, 2, 3], 0);
    check(3, &[1, 2, 3, 4, 5], &[3, 4, 5], 2);
    check(3, &[1, 2, 4, 5, 3], &[3, 4, 5], 2);
    check(4, &[1, 2, 3, 4, 9, 8, 7], &[4, 7, 8, 9], 3);
}

#[test]
fn readings_of_one_window_lie_within_its_reach() {
    let at = |micros: i64| Timestamp(1_782_864_000_000_000 + micros);
    let mut ring = Ring::with_capacity(4);
    assert!(ring.reaches(Timestamp::MIN) && ring.reaches(Timestamp::MAX), "nothing is far from nothing");
    ring.push(Sample { observed: at(0), ..Sample::default() }, Edition::default());
    for (micros, reaches) in [(REACH.0, true), (REACH.0 + 1, false), (-REACH.0, true), (-REACH.0 - 1, false)]
    {
        assert_eq!(ring.reaches(at(micros)), reaches, "{micros}");
    }
    assert!(!ring.reaches(Timestamp::MIN) && !ring.reaches(Timestamp::MAX));
    // Whatever it counts from, the two ends of its reach stand in it.
    ring.push(Sample { observed: at(REACH.0), ..Sample::default() }, Edition::default());
    let times: Vec<_> = ring.iter().map(|sample| sample.observed).collect();
    assert_eq!(times, [at(0), at(REACH.0)]);
    assert!(!ring.reaches(at(-1)) && !ring.reaches(at(REACH.0 + 1)) && ring.reaches(at(REACH.0 / 2)));
}

#[test]
fn what_an_earlier_release_wrote_too_far_apart_keeps_its_newest() {
    /// A window as it is written.
    #[derive(Encode)]
    struct Old(#[n(0)] Vec<Sample>, #[n(1)] u32, #[n(2)] u32, #[n(3)] u64, #[n(4)] Vec<Edition>);
    let slots = |times: &[i64]| {
        times.iter().map(|&at| Sample { observed: Timestamp(at), value: 1.5, ..Sample::default() }).collect()
    };
    let read = |old: &Old| -> Ring {
        let bytes = minicbor::to_vec(old).expect("encoding into a Vec cannot fail");
        minicbor::decode(&bytes).expect("it is a window")
    };
    let far = read(&Old(slots(&[7, 8, i64::MIN, 0]), 2, 4, 10, vec![]));
    let kept: Vec<_> = far.iter().map(|sample| sample.observed.0).collect();
    assert_eq!((kept, far.first(), far.end()), (vec![0, 7, 8], 11, 14));
    // One that fits comes out as it went in; what no reading stands in is not looked at.
    let old = Old(
        slots(&[7, 8, 0]),
        0,
        2,
        10,
        vec![Edition { seq: 3, identity: 4 }, Edition::default(), Edition::default()],
    );
    let ring = read(&old);
    assert_eq!(ring.edition(10), Edition { seq: 3, identity: 4 });
    assert_eq!(ring.find(Timestamp(8)), Ok(11));
    let again = Old(vec![old.0[0], old.0[1], Sample::default()], 0, 2, 10, old.4);
    assert_eq!(minicbor::to_vec(&ring).ok(), minicbor::to_vec(&again).ok());
    // Nonsense of a damaged file is no panic.
    assert_eq!(read(&Old(vec![], 5, 9, 1, vec![])).len(), 0);
    assert_eq!(read(&Old(slots(&[7, 8, 9]), 9, 9, 1, vec![])).len(), 3);
    assert_eq!(read(&Old(slots(&[7, 8, 9]), 0, 3, u64::MAX, vec![])).len(), 3);
    let disordered = slots(&[0, (1 << 48) - 1, 5, (1 << 48) + 3]);
    assert_eq!(read(&Old(disordered, 0, 4, 1, vec![])).len(), 3);
}

/// A plain list that does what a ring does.
#[derive(Debug, Clone, Default)]
struct Model {
    kept: Vec<(Sample, Edition)>,
    first: u64,
}

impl Model {
    fn reaches(&self, observed: Timestamp) -> bool {
        let times = || self.kept.iter().map(|(sample, _)| i128::from(sample.observed.0));
        let at = i128::from(observed.0);
        times().chain([at]).max().zip(times().chain([at]).min()).is_none_or(|(max, min)| max - min < 1 << 48)
    }

    fn pop_oldest(&mut self) {
        if !self.kept.is_empty() {
            self.kept.remove(0);
            self.first += 1;
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Put(Sample, Edition),
    PopOldest,
    PopNewest,
    Replace(u64, Sample),
    SetEdition(u64, Edition),
    Resize(usize),
    WriteAndRead,
}

fn times() -> impl Strategy<Value = i64> {
    let around = |middle: i64| (-40..40_i64).prop_map(move |by| middle.saturating_add(by));
    prop_oneof![
        20 => around(1_782_864_000_000_000),
        4 => around(1_782_864_000_000_000 + REACH.0),
        2 => around(1_782_864_000_000_000 + REACH.0 / 2),
        // What nine bytes hold, from the middle and in all.
        2 => around(1_782_864_000_000_000 + (1 << 39)),
        2 => around(1_782_864_000_000_000 + (1 << 40)),
        2 => around(1_782_864_000_000_000 - REACH.0),
        1 => prop_oneof![around(i64::MAX), around(i64::MIN), around(0), any::<i64>()],
    ]
}

/// Of each form that they stand in.
fn values() -> impl Strategy<Value = f64> + Clone {
    prop_oneof![12 => decimals(), 2 => singles(), 1 => any::<u64>().prop_map(f64::from_bits)]
}

fn decimals() -> impl Strategy<Value = f64> + Clone {
    (-9_999_999..9_999_999_i32, 0..6_i32).prop_map(|(count, digits)| f64::from(count) / 10_f64.powi(digits))
}

fn singles() -> impl Strategy<Value = f64> + Clone {
    any::<f32>().prop_map(f64::from)
}

fn samples(values: impl Strategy<Value = f64>) -> impl Strategy<Value = Sample> {
    let odd = (0..3_u32, any::<u8>(), 0..5_usize, any::<bool>(), any::<bool>());
    let says = prop_oneof![6 => Just((0, 0, 0, false, false)), 1 => Just((1, 0, 0, false, false)), 1 => odd];
    let flags = [Flag::Good, Flag::Unevaluated, Flag::Suspect, Flag::Fail, Flag::Missing];
    (times(), values, says).prop_map(move |(at, value, (source, marks, flag, unproven, alone))| Sample {
        observed: Timestamp(at),
        value,
        flag: flags[flag],
        marks: Marks(marks),
        source: SourceIx(source),
        unproven,
        alone: alone.then_some(Flag::Good),
    })
}

fn editions() -> impl Strategy<Value = Edition> {
    let given = (0..3_u64, any::<u64>()).prop_map(|(seq, identity)| Edition { seq, identity });
    prop_oneof![9 => Just(Edition::default()), 1 => given]
}

fn steps(values: impl Strategy<Value = f64> + Clone) -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (samples(values.clone()), editions()).prop_map(|(sample, edition)| Step::Put(sample, edition)),
        2 => Just(Step::PopOldest),
        2 => Just(Step::PopNewest),
        3 => (0..12_u64, samples(values)).prop_map(|(back, sample)| Step::Replace(back, sample)),
        1 => (0..12_u64, editions()).prop_map(|(back, edition)| Step::SetEdition(back, edition)),
        1 => (1..9_usize).prop_map(Step::Resize),
        1 => Just(Step::WriteAndRead),
    ]
}

/// A sample bit by bit: a value that is no number is like no other.
fn plain(sample: Sample) -> (u64, Sample) {
    (sample.value.to_bits(), Sample { value: 0.0, ..sample })
}

fn take(ring: &mut Ring, model: &mut Model, step: &Step) {
    let newest = ring.end().saturating_sub(1);
    match *step {
        Step::Put(sample, edition) => {
            let Err(number) = ring.find(sample.observed) else { return };
            assert_eq!(ring.reaches(sample.observed), model.reaches(sample.observed));
            if number == ring.first() && !ring.has_room(sample.observed) {
                return;
            }
            while !ring.has_room(sample.observed) {
                ring.pop_oldest();
                model.pop_oldest();
            }
            model.kept.insert((number - model.first) as usize, (sample, edition));
            if number == ring.end() {
                ring.push(sample, edition);
            } else {
                ring.insert(number, sample);
                ring.set_edition(number, edition);
            }
        }
        Step::PopOldest => {
            ring.pop_oldest();
            model.pop_oldest();
        }
        Step::PopNewest => {
            ring.pop_newest();
            model.kept.pop();
        }
        Step::Replace(back, sample) => {
            let number = newest.saturating_sub(back);
            let Some(Sample { observed, .. }) = ring.get(number) else { return };
            ring.replace(number, Sample { observed, ..sample });
            model.kept[(number - model.first) as usize].0 = Sample { observed, ..sample };
        }
        Step::SetEdition(back, edition) => {
            let number = newest.saturating_sub(back);
            ring.set_edition(number, edition);
            let at = number.checked_sub(model.first).map(|at| at as usize);
            if let Some(known) = at.and_then(|at| model.kept.get_mut(at)) {
                known.1 = edition;
            }
        }
        Step::Resize(capacity) => {
            *ring = ring.resized(capacity);
            while model.kept.len() > capacity {
                model.pop_oldest();
            }
        }
        Step::WriteAndRead => {
            let bytes = minicbor::to_vec(&*ring).expect("encoding into a Vec cannot fail");
            *ring = minicbor::decode(&bytes).expect("it was just written");
            assert_eq!(minicbor::to_vec(&*ring).ok(), Some(bytes));
        }
    }
}

fn compare(ring: &Ring, model: &Model) {
    let got: Vec<_> = ring.iter().map(plain).collect();
    let expected: Vec<_> = model.kept.iter().map(|(sample, _)| plain(*sample)).collect();
    assert_eq!(got, expected);
    assert_eq!((ring.first(), ring.len()), (model.first, model.kept.len()));
    assert_eq!(ring.newest().map(plain), expected.last().copied());
    for ((sample, edition), number) in model.kept.iter().zip(model.first..) {
        assert_eq!(ring.get(number).map(plain), Some(plain(*sample)));
        assert_eq!(ring.edition(number), *edition);
        assert_eq!(ring.find(sample.observed), Ok(number));
        assert_eq!(ring.after(sample.observed), number + 1);
        assert_eq!(ring.at(sample.observed).map(plain), Some(plain(*sample)));
    }
    assert!(ring.get(ring.end()).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_packed_ring_is_a_plain_list(
        capacity in 1..9_usize,
        // Of one kind in a window, as of one device; and of all.
        steps in prop_oneof![
            prop::collection::vec(steps(values()), 1..120),
            prop::collection::vec(steps(decimals()), 1..120),
            prop::collection::vec(steps(singles()), 1..120),
        ],
    ) {
        let (mut ring, mut model) = (Ring::with_capacity(capacity), Model::default());
        for step in steps {
            take(&mut ring, &mut model, &step);
            compare(&ring, &model);
        }
    }
}
