//! Finds a quote that is not closed where its cell ends: it would take the lines behind it for its own.

use std::io::{self, BufRead};

enum At {
    CellStart,
    Plain,
    Quoted,
    /// Behind a quote in a quoted cell: its end, or the first of two that stand for one.
    Quote,
    /// Behind a quote that stands in the text of a cell that another line opened: whether what follows would be read as quoted.
    Lost(bool),
}

/// # Errors
/// A sentence for the operator that names the line where the quote opens, and how many lines it takes.
pub(super) fn check(mut reader: impl BufRead, separator: u8) -> Result<(), String> {
    let mut at = At::CellStart;
    let (mut line, mut opened) = (1_u64, 1_u64);
    let mut last = 0;
    loop {
        let buffer = match reader.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(format!("the file cannot be read: {error}")),
        };
        if buffer.is_empty() {
            break;
        }
        for &byte in buffer {
            at = match (at, byte) {
                (At::CellStart, b'"') => {
                    opened = line;
                    At::Quoted
                }
                (At::Quoted, b'"') => At::Quote,
                (At::Quoted, _) | (At::Quote, b'"') => At::Quoted,
                (At::CellStart | At::Plain | At::Quote, _) if byte == separator || byte == b'\n' => At::CellStart,
                // Up to where quotes are in pairs again: each line until then is read as part of another.
                (At::Lost(false), b'\n') => return Err(told(opened, line)),
                (At::Lost(is_quoted), b'"') => At::Lost(!is_quoted),
                (At::Lost(is_quoted), _) => At::Lost(is_quoted),
                (At::Quote, _) if line > opened => At::Lost(false),
                // As it is read: the cell goes on without quotes.
                (At::Quote, _) => At::Plain,
                (At::CellStart | At::Plain, _) => At::Plain,
            };
            line += u64::from(byte == b'\n');
            last = byte;
        }
        let length = buffer.len();
        reader.consume(length);
    }
    let end = if last == b'\n' { line - 1 } else { line };
    if matches!(at, At::Quoted | At::Lost(_)) { Err(told(opened, end)) } else { Ok(()) }
}

fn told(opened: u64, end: u64) -> String {
    let lines = match end - opened {
        0 => "and is not closed".to_owned(),
        1 => format!("and takes the line behind it, {end}"),
        lines => format!("and takes the {lines} lines behind it, up to line {end}"),
    };
    format!(
        "line {opened}: a quote opens a cell {lines}: close it where the cell ends, or write two where one is meant; nothing was taken in"
    )
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn what_a_quote_takes_is_told() {
        for fine in ["a,b\n\"x\",y\n", "\"two\nlines\",\"a \"\"quote\"\"\"\n", "a \"b,c\n", "\"ACME \"SAS\"\",x\n", ""]
        {
            assert_eq!(check(fine.as_bytes(), b','), Ok(()), "{fine}");
        }
        for (text, told) in [
            ("a,b\nx,\"open\n1,2\n3,4", "line 2: a quote opens a cell and takes the 2 lines behind it, up to line 4"),
            ("x,\"open,y\nz,\"closed\",w\n", "line 1: a quote opens a cell and takes the line behind it, 2"),
            (
                "x,\"open,y\nz,\"closed\",w\nz,\"closed\",w\nz,\"closed\",w\n",
                "line 1: a quote opens a cell and takes the 3 lines behind it, up to line 4",
            ),
            ("x,\"open,y\nz,\"closed,w\nz,plain,w\n", "line 1: a quote opens a cell and takes the line behind it, 2"),
            ("x,\"open", "line 1: a quote opens a cell and is not closed"),
        ] {
            let found = check(text.as_bytes(), b',');
            assert!(found.as_ref().is_err_and(|error| error.starts_with(told)), "{found:?}");
        }
    }
}
