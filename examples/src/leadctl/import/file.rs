//! A file as UTF-8, however it was saved.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read},
    path::Path,
    sync::Arc,
};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use encoding_rs_io::DecodeReaderBytesBuilder;
use flate2::read::MultiGzDecoder;

use super::workbook::Workbook;

/// What a file begins with that is no text.
const GZIP: &[u8] = &[0x1F, 0x8B];
const ZSTANDARD: &[u8] = &[0x28, 0xB5, 0x2F, 0xFD];
/// What workbooks begin with: an archive, or, the older ones and those with a password, a file of files.
const WORKBOOKS: [&[u8]; 2] = [b"PK\x03\x04", &[0xD0, 0xCF, 0x11, 0xE0]];

/// How a file is to be read.
pub(super) enum Source<'p> {
    Text { path: &'p Path, encoding: &'static Encoding, is_gzip: bool },
    Workbook(Workbook),
}

impl<'p> Source<'p> {
    /// Reads through a text for its encoding, unless that is given; of a workbook, a sheet.
    ///
    /// # Errors
    /// A sentence for the operator, if it is neither, or cannot be read.
    pub(super) fn of(path: &'p Path, given: Option<&'static Encoding>, sheet: Option<&str>) -> Result<Self, String> {
        let unreadable = |error: io::Error| format!("{} cannot be read: {error}", path.display());
        let file = File::open(path).map_err(unreadable)?;
        // A pipe gives what is in it once.
        if !file.metadata().map_err(unreadable)?.is_file() {
            return Err(format!(
                "{} cannot be read: it is no file, and an import reads one more than once; write it to a file first",
                path.display()
            ));
        }
        let mut reader = BufReader::new(file);
        let start = reader.fill_buf().map_err(unreadable)?;
        if start.starts_with(ZSTANDARD) {
            return Err(format!("{} is compressed by zstd: run zstd -d first", path.display()));
        }
        if WORKBOOKS.iter().any(|mark| start.starts_with(mark)) {
            return Workbook::open(path, sheet).map(Self::Workbook);
        }
        if sheet.is_some() {
            return Err(format!("{} is no workbook: it has no sheets", path.display()));
        }
        let is_gzip = start.starts_with(GZIP);
        let encoding = match given {
            Some(encoding) => encoding,
            None if is_gzip => found(MultiGzDecoder::new(reader)).map_err(unreadable)?,
            None => found(reader).map_err(unreadable)?,
        };
        Ok(Self::Text { path, encoding, is_gzip })
    }

    /// What it is, for people.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Text { encoding, .. } => encoding.name().to_owned(),
            Self::Workbook(workbook) if workbook.others.is_empty() => format!("the sheet {}", workbook.sheet),
            Self::Workbook(workbook) => {
                format!("the sheet {} (not {}; --sheet says which)", workbook.sheet, workbook.others.join(", "))
            }
        }
    }

    /// The name of a text's encoding.
    pub(super) fn encoding(&self) -> Option<&'static str> {
        if let Self::Text { encoding, .. } = self { Some(encoding.name()) } else { None }
    }

    /// The name of a workbook's sheet, and the number of its first row.
    pub(super) fn sheet(&self) -> Option<(&str, u64)> {
        if let Self::Workbook(workbook) = self { Some((&workbook.sheet, workbook.first)) } else { None }
    }

    /// Its text, with lines that end with a line feed; `watch` sees the bytes of the file as they are read.
    ///
    /// # Errors
    /// A sentence for the operator, if it cannot be read.
    pub(super) fn open<R: Read + 'static>(
        &self,
        watch: impl FnOnce(File) -> R,
    ) -> Result<BufReader<Box<dyn Read>>, String> {
        let text: Box<dyn Read> = match self {
            Self::Workbook(workbook) => Box::new(Cursor::new(Arc::clone(&workbook.text))),
            Self::Text { path, encoding, is_gzip } => {
                let file = File::open(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
                let file = BufReader::with_capacity(256 * 1024, watch(file));
                let bytes: Box<dyn Read> = if *is_gzip { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
                Box::new(DecodeReaderBytesBuilder::new().encoding(Some(encoding)).strip_bom(true).build(bytes))
            }
        };
        Ok(BufReader::with_capacity(64 * 1024, Box::new(LineFeeds { reader: text, is_behind_return: false })))
    }
}

/// A text whose lines end with a line feed, whatever they ended with.
struct LineFeeds<R> {
    reader: R,
    is_behind_return: bool,
}

impl<R: Read> Read for LineFeeds<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.reader.read(buffer)?;
            let kept = self.end_lines(&mut buffer[..read]);
            if kept > 0 || read == 0 || buffer.is_empty() {
                return Ok(kept);
            }
        }
    }
}

impl<R> LineFeeds<R> {
    /// Ends the lines of a piece of the text. Returns how long it is then.
    fn end_lines(&mut self, text: &mut [u8]) -> usize {
        let is_second = std::mem::take(&mut self.is_behind_return) && text.first() == Some(&b'\n');
        let (mut from, mut kept) = (usize::from(is_second), 0);
        while let Some(length) = memchr::memchr(b'\r', &text[from..]) {
            let end = from + length;
            text.copy_within(from..end, kept);
            kept += length;
            text[kept] = b'\n';
            kept += 1;
            self.is_behind_return = end + 1 == text.len();
            from = end + 1 + usize::from(text.get(end + 1) == Some(&b'\n'));
        }
        text.copy_within(from.., kept);
        kept + text.len() - from
    }
}

/// The encoding of a text: by its mark; where it has none, UTF-8 if it is that, and otherwise what it looks like.
fn found(mut reader: impl Read) -> io::Result<&'static Encoding> {
    /// So much text that is not ASCII alone tells one encoding from the other.
    const ENOUGH: usize = 1024 * 1024;
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    let mut fed = 0;
    let mut buffer = vec![0; 64 * 1024];
    let (mut kept, mut is_start) = (0, true);
    let (mut sequences, mut faults) = (0_u64, 0_u64);
    loop {
        let read = reader.read(&mut buffer[kept..])?;
        let text = &buffer[..kept + read];
        if is_start {
            if let Some((encoding, _)) = Encoding::for_bom(text) {
                return Ok(encoding);
            }
            if let Some(encoding) = of_two_bytes(text) {
                return Ok(encoding);
            }
        }
        is_start &= read == 0;
        let fresh = &buffer[kept..kept + read];
        if fed < ENOUGH && !fresh.is_ascii() {
            detector.feed(fresh, false);
            fed += fresh.len();
        }
        let rest = count(text, &mut sequences, &mut faults);
        if read == 0 {
            faults += u64::from(rest > 0);
            break;
        }
        let end = kept + read;
        buffer.copy_within(end - rest..end, 0);
        kept = rest;
    }
    // Of UTF-8 with some broken lines, these alone are refused.
    if faults == 0 || sequences > 10 * faults {
        return Ok(UTF_8);
    }
    detector.feed(&[], true);
    Ok(detector.guess(Some(b"fr"), Utf8Detection::Deny))
}

/// UTF-16 without a mark: every other byte of Western text is 0.
fn of_two_bytes(start: &[u8]) -> Option<&'static Encoding> {
    let start = &start[..start.len().min(4096)];
    let zeros = |offset: usize| start.iter().skip(offset).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd, most) = (zeros(0), zeros(1), start.len() / 2);
    match (even * 2 > most, odd * 2 > most) {
        (true, false) => Some(UTF_16BE),
        (false, true) => Some(UTF_16LE),
        _ => None,
    }
}

/// Counts the characters of more than one byte, and what is no UTF-8. Returns how many bytes at the end may begin a character.
fn count(mut text: &[u8], sequences: &mut u64, faults: &mut u64) -> usize {
    loop {
        let error = std::str::from_utf8(text).err();
        let valid = error.map_or(text.len(), |error| error.valid_up_to());
        *sequences += text[..valid].iter().filter(|byte| **byte >= 0xC0).count() as u64;
        let Some(error) = error else { return 0 };
        let Some(length) = error.error_len() else { return text.len() - valid };
        *faults += 1;
        text = &text[valid + length..];
    }
}
