//! Leads as JSON: one on each line, or all in an array.

use std::io::{self, BufRead, Read};

use fastcore_leads::lead::limits::MAX_BODY_BYTES;

/// A line without its end. Of one that is far too long, only the beginning is kept.
pub(super) fn line(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let limit = MAX_BODY_BYTES as u64 + 2;
    if reader.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') && line.len() as u64 == limit {
        skip_line(reader)?;
    }
    while matches!(line.last(), Some(b'\n' | b'\r')) {
        line.pop();
    }
    Ok(Some(line))
}

fn skip_line(reader: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        if let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            reader.consume(end + 1);
            return Ok(());
        }
        let length = buffer.len();
        reader.consume(length);
    }
}

/// Where the reading of an array is.
pub(super) struct Array {
    /// The line that is read.
    pub(super) line: u64,
    is_over: bool,
}

impl Array {
    /// Reads an array's bracket, and what is in front of it.
    pub(super) fn begin(reader: &mut impl BufRead) -> io::Result<Self> {
        let mut before = Vec::new();
        reader.read_until(b'[', &mut before)?;
        let line = before.split(|byte| *byte == b'\n').count() as u64;
        Ok(Self { line, is_over: false })
    }
}

/// Reads on to the end of the file: nothing may stand there that would be passed over.
fn ends(reader: &mut impl BufRead) -> io::Result<()> {
    loop {
        let rest = reader.fill_buf()?;
        if rest.is_empty() {
            return Ok(());
        }
        if !rest.trim_ascii().is_empty() {
            return Err(io::Error::other("something stands behind the array: put all leads into one"));
        }
        let length = rest.len();
        reader.consume(length);
    }
}

/// The next element of an array; none behind the last. Of one that is far too long, only the beginning is kept.
pub(super) fn element(reader: &mut impl BufRead, array: &mut Array) -> io::Result<Option<Vec<u8>>> {
    if array.is_over {
        return Ok(None);
    }
    let (mut element, mut depth, mut is_text, mut is_escaped) = (Vec::new(), 0_u32, false, false);
    loop {
        let mut byte = [0];
        if reader.read(&mut byte)? == 0 {
            return Err(io::Error::other("the array does not end"));
        }
        let [byte] = byte;
        array.line += u64::from(byte == b'\n');
        if is_text {
            (is_text, is_escaped) = (is_escaped || byte != b'"', !is_escaped && byte == b'\\');
        } else {
            match byte {
                b'"' => is_text = true,
                b'[' | b'{' => depth += 1,
                b']' if depth == 0 => {
                    array.is_over = true;
                    ends(reader)?;
                    return Ok((!element.is_empty()).then_some(element));
                }
                b']' | b'}' => depth = depth.saturating_sub(1),
                b',' if depth == 0 && element.is_empty() => continue,
                b',' if depth == 0 => return Ok(Some(element)),
                _ if byte.is_ascii_whitespace() && element.is_empty() => continue,
                _ => {}
            }
        }
        if element.len() <= MAX_BODY_BYTES * 2 {
            element.push(byte);
        }
    }
}
