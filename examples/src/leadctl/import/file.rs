//! A file as UTF-8, however it was saved.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use encoding_rs_io::DecodeReaderBytesBuilder;
use flate2::read::MultiGzDecoder;

/// What a file begins with that is no text.
const GZIP: &[u8] = &[0x1F, 0x8B];
const ZSTANDARD: &[u8] = &[0x28, 0xB5, 0x2F, 0xFD];
const ZIP: &[u8] = b"PK\x03\x04";
const OLE: &[u8] = &[0xD0, 0xCF, 0x11, 0xE0];

/// How a file is to be read.
#[derive(Clone, Copy)]
pub(super) struct Source<'p> {
    path: &'p Path,
    encoding: &'static Encoding,
    is_gzip: bool,
}

impl<'p> Source<'p> {
    /// Reads through a file for its encoding, unless that is given.
    ///
    /// # Errors
    /// A sentence for the operator, if it is no text, or cannot be read.
    pub(super) fn of(path: &'p Path, given: Option<&'static Encoding>) -> Result<Self, String> {
        let unreadable = |error: io::Error| format!("{} cannot be read: {error}", path.display());
        let mut reader = BufReader::new(File::open(path).map_err(unreadable)?);
        let start = reader.fill_buf().map_err(unreadable)?;
        for (mark, what) in [
            (ZSTANDARD, "is compressed by zstd: run zstd -d first"),
            (ZIP, "is a workbook or an archive: save it as CSV UTF-8"),
            (OLE, "is a workbook: save it as CSV UTF-8"),
        ] {
            if start.starts_with(mark) {
                return Err(format!("{} {what}", path.display()));
            }
        }
        let is_gzip = start.starts_with(GZIP);
        let encoding = match given {
            Some(encoding) => encoding,
            None if is_gzip => found(MultiGzDecoder::new(reader)).map_err(unreadable)?,
            None => found(reader).map_err(unreadable)?,
        };
        Ok(Self { path, encoding, is_gzip })
    }

    /// The name of the encoding.
    pub(super) fn encoding(&self) -> &'static str {
        self.encoding.name()
    }

    /// Its text, with lines that end with a line feed; `watch` sees the bytes of the file as they are read.
    ///
    /// # Errors
    /// A sentence for the operator, if it cannot be read.
    pub(super) fn open<R: Read + 'static>(
        &self,
        watch: impl FnOnce(File) -> R,
    ) -> Result<BufReader<Box<dyn Read>>, String> {
        let file = File::open(self.path).map_err(|error| format!("{} cannot be read: {error}", self.path.display()))?;
        let file = BufReader::with_capacity(256 * 1024, watch(file));
        let bytes: Box<dyn Read> = if self.is_gzip { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
        let text = DecodeReaderBytesBuilder::new().encoding(Some(self.encoding)).strip_bom(true).build(bytes);
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
            let mut kept = 0;
            for place in 0..read {
                let byte = buffer[place];
                let is_second = byte == b'\n' && self.is_behind_return;
                self.is_behind_return = byte == b'\r';
                if !is_second {
                    buffer[kept] = if byte == b'\r' { b'\n' } else { byte };
                    kept += 1;
                }
            }
            if kept > 0 || read == 0 || buffer.is_empty() {
                return Ok(kept);
            }
        }
    }
}

/// The encoding of a text: by its mark; where it has none, UTF-8 if it is that, and otherwise what it looks like.
fn found(mut reader: impl Read) -> io::Result<&'static Encoding> {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
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
        detector.feed(&buffer[kept..kept + read], read == 0);
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
