//! From records of the log to readings as kept.

use forewarn_core::event::Input;
use forewarn_core::ids::Position;
use forewarn_core::reading::{Checked, Marks, Reading};

use crate::log::Record;
use crate::ports::Kept;

/// Appends the readings of a record, with their flags.
///
/// Duplicates and conflicts are left out: the measurement stands already, and
/// of two values for one instant the first in the log stays. What was not
/// judged (too late, from the future, retained) is kept with its marks.
pub(super) fn rows_of(record: &Record, rows: &mut Vec<Kept>) {
    let received = record.at + record.offset;
    let mut flagged = record.flagged.iter().peekable();
    let mut put = |checked: &Checked, position| {
        if !checked.reading.marks.has(Marks::DUPLICATE) {
            rows.push(Kept { checked: *checked, received, position });
        }
    };
    for (index, input) in record.inputs.iter().enumerate() {
        let Input::Reading(reading) = input else { continue };
        if let Some(checked) = flagged.next_if(|checked| is_of(&checked.reading, reading)) {
            put(checked, Position(record.first.0 + index as u64));
        }
    }
    // A check may revise the flag of an earlier reading: it takes its place.
    flagged.for_each(|checked| put(checked, record.last()));
}

/// Whether a judged reading is that of the input. Its instant may have been
/// moved by microseconds, to stand apart from another received at once.
fn is_of(judged: &Reading, reading: &Reading) -> bool {
    judged.sensor == reading.sensor
        && judged.source == reading.source
        && judged.value.to_bits() == reading.value.to_bits()
        && judged.seq == reading.seq
        && judged.identity == reading.identity
}
