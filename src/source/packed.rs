//! Compressed bytes → bytes: gzip and zstd, told by how they begin, whatever the file is called.
//!
//! Both formats may be several pieces one after another (members, frames), as tools write them that append or
//! compress in parallel. Their checksums are compared. Text is unpacked as it is asked for, never all of it at once
//! here; what unpacks to absurdly much is refused, because whoever holds it whole would run out of memory.

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::error::Error;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Bytes that are read from a file at a time.
const BUFFER: usize = 256 << 10;

/// This much text is unpacked whatever its ratio: a few kilobytes of anything are no danger.
const HARMLESS: u64 = 64 << 20;

/// Text that is more than so many times its compressed form is refused. Dumps of clusters reach 10 to 50.
const MAX_RATIO: u64 = 200;

/// Whether bytes begin as gzip or zstd does. No text in UTF-8 or UTF-16 begins so.
pub(super) fn is_packed(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x1F\x8B") || is_zstd(bytes)
}

/// A frame, or one that holds nothing and is passed over.
fn is_zstd(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x28\xB5\x2F\xFD") || bytes.get(1..4) == Some(b"\x2A\x4D\x18") && bytes[0] >> 4 == 5
}

/// What is read from somewhere, unpacked if it is packed.
pub(super) struct Unpacked<'r> {
    /// the text
    pub(super) text: Box<dyn Read + Send + 'r>,
    /// whether it was packed
    pub(super) packed: bool,
}

impl<'r> Unpacked<'r> {
    /// Looks at the first bytes.
    ///
    /// # Errors
    /// What reading them gives.
    pub(super) fn new(source: impl Read + Send + 'r) -> io::Result<Self> {
        let read = Arc::new(AtomicU64::new(0));
        let mut source = BufReader::with_capacity(BUFFER, Counted { source, read: read.clone() });
        let first = source.fill_buf()?;
        let (zstd, packed) = (is_zstd(first), is_packed(first));
        let text: Box<dyn Read + Send + 'r> = match (packed, zstd) {
            (false, _) => Box::new(source),
            (true, false) => Box::new(Bounded { text: MultiGzDecoder::new(source), read, given: 0 }),
            (true, true) => Box::new(Bounded { text: Frames::new(source), read, given: 0 }),
        };
        Ok(Unpacked { text, packed })
    }
}

/// Counts the bytes that it gives.
struct Counted<R> {
    source: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.source.read(buffer)?;
        self.read.fetch_add(len as u64, Relaxed);
        Ok(len)
    }
}

/// Text that is no bomb: [`ErrorKind::FileTooLarge`] when it turns out to be one. An end that comes too early is
/// [`ErrorKind::UnexpectedEof`], whatever else is wrong [`ErrorKind::InvalidData`].
struct Bounded<R> {
    text: R,
    /// compressed bytes so far; the file's end may be counted early, which only lets more pass
    read: Arc<AtomicU64>,
    given: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.text.read(buffer).map_err(told)?;
        self.given += len as u64;
        if self.given > HARMLESS && self.given / MAX_RATIO > self.read.load(Relaxed) {
            let message = format!("it unpacks to more than {MAX_RATIO} times its size");
            return Err(io::Error::new(ErrorKind::FileTooLarge, message));
        }
        Ok(len)
    }
}

/// The kind of error that a decoder means.
fn told(error: io::Error) -> io::Error {
    let mut cause: Option<&(dyn Error + 'static)> = error.get_ref().map(|inner| inner as _);
    let mut kind = error.kind();
    while let Some(one) = cause {
        kind = one.downcast_ref().map_or(kind, io::Error::kind);
        cause = one.source();
    }
    match kind {
        ErrorKind::UnexpectedEof | ErrorKind::PermissionDenied | ErrorKind::Interrupted => {
            io::Error::new(kind, error)
        }
        _ => io::Error::new(ErrorKind::InvalidData, error),
    }
}

/// The frames of a zstd file as one text.
struct Frames<R> {
    source: R,
    decoder: FrameDecoder,
    /// within a frame
    open: bool,
}

impl<R: BufRead> Frames<R> {
    fn new(source: R) -> Self {
        Frames { source, decoder: FrameDecoder::new(), open: false }
    }

    /// Begins with the next frame, unless there is none.
    fn open(&mut self) -> io::Result<bool> {
        while !self.open && !self.source.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.source) {
                Ok(()) => self.open = true,
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let passed = io::copy(&mut self.source.by_ref().take(length.into()), &mut io::sink())?;
                    if passed < u64::from(length) {
                        return Err(ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(self.open)
    }

    /// Ends a frame that was read to its end.
    fn close(&mut self) -> io::Result<()> {
        self.open = false;
        let written = self.decoder.get_checksum_from_data();
        if written.is_some() && written != self.decoder.get_calculated_checksum() {
            return Err(io::Error::new(ErrorKind::InvalidData, "the checksum of its text is another one"));
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() && self.open()? {
            if self.decoder.can_collect() > 0 {
                return self.decoder.read(buffer);
            }
            if self.decoder.is_finished() {
                self.close()?;
            } else {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut self.source, one).map_err(io::Error::other)?;
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
pub(super) mod tests;
