//! Bytes → text: UTF-8, with or without its mark.

use super::fault::Fault;
use super::lines;
use crate::diagnostic::{Diagnostic, FileId, Severity};

/// Decodes a file; the byte order mark is taken off.
///
/// # Errors
/// A diagnostic with the place of the first byte that is no UTF-8, and for UTF-16 one that says so;
/// with it the text as far as it can be shown.
pub(super) fn decode(mut bytes: Vec<u8>, file: FileId) -> Result<String, Box<(Diagnostic, String)>> {
    const MARK: &[u8] = b"\xEF\xBB\xBF";
    if bytes.starts_with(MARK) {
        bytes.drain(..MARK.len());
    }
    let error = match String::from_utf8(bytes) {
        Ok(text) => return Ok(text),
        Err(error) => error,
    };
    let (valid, bytes) = (error.utf8_error().valid_up_to(), error.as_bytes());
    let (fault, text) = if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
        let fault = Fault::new(0, "encoding", "this file is UTF-16");
        let help = "convert it: `iconv -f UTF-16 -t UTF-8 FILE | netpolc compile -`";
        (fault.help(help), String::new())
    } else {
        let message = format!("byte 0x{:02X} is not UTF-8", bytes[valid]);
        let help = "save the file as UTF-8; it may also be no text at all";
        (Fault::new(valid, "encoding", message).help(help), String::from_utf8_lossy(bytes).into_owned())
    };
    let at = lines::advance(lines::start_of(file), &text[..fault.offset]);
    Err(Box::new((fault.diagnostic(Severity::Error, at), text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Location;

    #[test]
    fn a_mark_is_taken_off() {
        assert_eq!(decode(b"\xEF\xBB\xBFa: b".to_vec(), FileId(0)).unwrap(), "a: b");
    }

    #[test]
    fn other_encodings_are_refused_with_their_place() {
        let at = |line, column| Some(Location { file: FileId(3), line, column });
        for (bytes, place, words) in [
            (b"\xFF\xFEa\0".as_slice(), at(1, 1), "UTF-16"),
            (b"\xFE\xFF\0a".as_slice(), at(1, 1), "UTF-16"),
            (b"a: b\nk\xC3\xBC: \xFC\n".as_slice(), at(2, 5), "0xFC"),
            (b"cut: \xE2\x82".as_slice(), at(1, 6), "0xE2"),
        ] {
            let (error, _) = *decode(bytes.to_vec(), FileId(3)).unwrap_err();
            assert_eq!((error.at, error.id), (place, "encoding"));
            assert!(error.message.contains(words), "{}", error.message);
        }
    }
}
