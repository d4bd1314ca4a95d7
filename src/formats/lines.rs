//! The syntax of line protocol: one line at a time, borrowed from the payload.

use std::borrow::Cow;

/// Fields in one line; more are refused.
const FIELDS_MAX: usize = 256;

/// A field's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value {
    Number(f64),
    Text,
    Boolean,
}

/// One line's parts.
#[derive(Debug, Default)]
pub(super) struct Line<'t> {
    pub(super) measurement: Cow<'t, str>,
    pub(super) station: Option<Cow<'t, str>>,
    pub(super) fields: Vec<(Cow<'t, str>, Value)>,
    pub(super) time: Option<i64>,
}

/// Reads a text line by line; a quoted string may hold a line's end.
pub(super) struct Reader<'t> {
    text: &'t str,
    at: usize,
    pub(super) line: usize,
}

impl<'t> Reader<'t> {
    /// At the beginning of a text.
    pub(super) fn new(text: &'t str) -> Self {
        Reader { text, at: 0, line: 1 }
    }

    fn rest(&self) -> &'t [u8] {
        &self.text.as_bytes()[self.at..]
    }

    pub(super) fn place(&self, what: &str) -> String {
        let start = self.text[..self.at].rfind('\n').map_or(0, |end| end + 1);
        format!("line {} column {}: {what}", self.line, self.text[start..self.at].chars().count() + 1)
    }

    /// Past blanks, empty lines and comments; false at the end.
    pub(super) fn next_line(&mut self) -> bool {
        loop {
            match self.rest() {
                [] => return false,
                [b'#', ..] => {
                    let rest = self.rest();
                    self.at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                }
                [b'\n', ..] => {
                    self.at += 1;
                    self.line += 1;
                }
                [b' ' | b'\t' | b'\r', ..] => self.at += 1,
                _ => return true,
            }
        }
    }

    pub(super) fn read(&mut self, line: &mut Line<'t>, station_tag: &str) -> Result<(), String> {
        line.fields.clear();
        line.station = None;
        line.measurement = self.name(b", ", "a measurement")?;
        while self.next_is(b',') {
            let key = self.name(b",= ", "a tag")?;
            self.expect(b'=', "a tag's =")?;
            let value = self.name(b",= ", "a tag's value")?;
            if key == station_tag && line.station.replace(value).is_some() {
                return Err(format!("tag {key:?} stands twice, expected it once"));
            }
        }
        self.expect(b' ', "a space before the fields")?;
        while self.next_is(b' ') {}
        loop {
            let key = self.name(b",= ", "a field")?;
            self.expect(b'=', "a field's =")?;
            let value = self.value().map_err(|what| format!("field {key:?}: {what}"))?;
            if line.fields.iter().any(|(before, _)| *before == key) {
                return Err(format!("field {key:?} stands twice, expected it once"));
            }
            if line.fields.len() == FIELDS_MAX {
                return Err(format!("more than {FIELDS_MAX} fields in a line, expected fewer"));
            }
            line.fields.push((key, value));
            if !self.next_is(b',') {
                break;
            }
        }
        line.time = self.time()?;
        Ok(())
    }

    fn next_is(&mut self, byte: u8) -> bool {
        let is = self.rest().first() == Some(&byte);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, byte: u8, what: &str) -> Result<(), String> {
        if self.next_is(byte) {
            Ok(())
        } else {
            Err(format!("{:?} is missing, expected {what}", char::from(byte)))
        }
    }

    /// A measurement, key or tag value: up to an unescaped stop, or the line's end.
    fn name(&mut self, stops: &[u8], what: &str) -> Result<Cow<'t, str>, String> {
        let rest = self.rest();
        let (mut end, mut escaped) = (0, false);
        while let Some(byte) = rest.get(end) {
            match byte {
                b'\\' if rest.get(end + 1).is_some_and(|next| b",= ".contains(next)) => {
                    escaped = true;
                    end += 2;
                }
                b'\n' | b'\r' => break,
                byte if stops.contains(byte) => break,
                _ => end += 1,
            }
        }
        // Stops are ASCII, so the cut is between characters.
        let name = &self.text[self.at..self.at + end];
        if name.is_empty() {
            return Err(format!("nothing stands here, expected {what}"));
        }
        self.at += end;
        Ok(if escaped { Cow::Owned(unescape(name, b",= ")) } else { Cow::Borrowed(name) })
    }

    fn value(&mut self) -> Result<Value, String> {
        if self.next_is(b'"') {
            return self.string().map(|()| Value::Text);
        }
        let rest = self.rest();
        let end = rest.iter().position(|byte| b", \n\r".contains(byte)).unwrap_or(rest.len());
        let text = &self.text[self.at..self.at + end];
        let value = match text {
            "t" | "T" | "true" | "True" | "TRUE" | "f" | "F" | "false" | "False" | "FALSE" => Value::Boolean,
            text => Value::Number(number(text).ok_or_else(|| {
                format!("{text:?} is no value, expected a finite number, true, false or a string in quotes")
            })?),
        };
        self.at += end;
        Ok(value)
    }

    fn string(&mut self) -> Result<(), String> {
        let begun = self.line;
        loop {
            match self.rest() {
                [] => return Err(format!("a string begun in line {begun} has no end, expected a quote")),
                [b'\\', b'"' | b'\\', ..] => self.at += 2,
                [b'"', ..] => {
                    self.at += 1;
                    return Ok(());
                }
                [b'\n', ..] => {
                    self.at += 1;
                    self.line += 1;
                }
                _ => self.at += 1,
            }
        }
    }

    fn time(&mut self) -> Result<Option<i64>, String> {
        while self.next_is(b' ') {}
        let rest = self.rest();
        let end = rest.iter().position(|byte| b" \n\r".contains(byte)).unwrap_or(rest.len());
        let from = self.at;
        self.at += end;
        let text = self.text.get(from..self.at).unwrap_or_default();
        while self.next_is(b' ') || self.next_is(b'\r') {}
        if !matches!(self.rest().first(), None | Some(b'\n')) {
            return Err("the line goes on after its time, expected its end".into());
        }
        match text {
            "" => Ok(None),
            text => text
                .parse()
                .map(Some)
                .map_err(|_| format!("time {text:?} is no whole number, expected one since 1970")),
        }
    }
}

fn unescape(name: &str, escapable: &[u8]) -> String {
    let mut plain = String::with_capacity(name.len());
    let mut rest = name.chars().peekable();
    while let Some(char) = rest.next() {
        match (char, rest.peek()) {
            ('\\', Some(next)) if next.is_ascii() && escapable.contains(&(*next as u8)) => {}
            (char, _) => plain.push(char),
        }
    }
    plain
}

/// `1.2`, `3i`, `4u`; never NaN or an infinity.
fn number(text: &str) -> Option<f64> {
    if let Some(whole) = text.strip_suffix('i') {
        return whole.parse::<i64>().ok().map(|number| number as f64);
    }
    if let Some(whole) = text.strip_suffix('u') {
        return whole.parse::<u64>().ok().map(|number| number as f64);
    }
    // Rust reads "inf" and "nan" as well; a number begins otherwise.
    text.bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'))
        .then(|| text.parse().ok())
        .flatten()
        .filter(|number: &f64| number.is_finite())
}
