//! Packed text of every make, whole, damaged and hostile.

use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use std::io::Write;

pub(crate) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(text: &[u8]) -> Vec<u8> {
    compress_to_vec(text, CompressionLevel::Fastest)
}

fn unpack(bytes: &[u8]) -> io::Result<(bool, Vec<u8>)> {
    let mut text = Vec::new();
    let mut unpacked = Unpacked::new(bytes)?;
    unpacked.text.read_to_end(&mut text)?;
    Ok((unpacked.packed, text))
}

/// A frame that says nothing, as tools put in for their own purposes.
const SKIPPED: &[u8] = b"\x5A\x2A\x4D\x18\x03\0\0\0abc";

/// A frame of zstd that asks for a checksum, which follows it: one block, as it is.
const CHECKED: &[u8] = b"\x28\xB5\x2F\xFD\x24\x0A\x51\0\0kind: Pod\n";

#[test]
fn text_that_is_not_packed_is_given_as_it_is() {
    for text in ["", "k", "kind: A\n", "\u{feff}kind: A\n", "P: Q"] {
        assert_eq!(unpack(text.as_bytes()).unwrap(), (false, text.as_bytes().to_vec()));
    }
}

proptest! {
    #[test]
    fn pieces_one_after_another_are_one_text(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..4),
        skipped in any::<bool>(),
    ) {
        let text = pieces.concat();
        let members: Vec<u8> = pieces.iter().flat_map(|piece| gzip(piece)).collect();
        prop_assert_eq!(unpack(&members).unwrap(), (true, text.clone()));
        let mut frames = if skipped { SKIPPED.to_vec() } else { Vec::new() };
        for piece in &pieces {
            frames.extend(zstd(piece));
            frames.extend_from_slice(if skipped { SKIPPED } else { &[] });
        }
        prop_assert_eq!(unpack(&frames).unwrap(), (true, text));
    }

    #[test]
    fn a_cut_is_noticed_wherever_it_is(text in prop::collection::vec(any::<u8>(), 0..300), at in any::<prop::sample::Index>()) {
        for packed in [gzip(&text), zstd(&text), [SKIPPED, &zstd(&text)].concat()] {
            // a beginning that could be anything is no packed text; between two frames nothing is missing
            let cut = 4 + at.index(packed.len() - 4);
            if cut != SKIPPED.len() || !packed.starts_with(SKIPPED) {
                prop_assert_eq!(unpack(&packed[..cut]).map(|_| ()).unwrap_err().kind(), ErrorKind::UnexpectedEof, "at {}", cut);
            }
        }
    }

    #[test]
    fn damage_is_no_other_text(text in prop::collection::vec(any::<u8>(), 1..300), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        // the header has fields that mean nothing, such as a time
        let mut packed = gzip(&text);
        let at = 10 + at.index(packed.len() - 10);
        packed[at] ^= 1u8 << bit;
        // the last byte of the data has bits that mean nothing either
        prop_assert!(unpack(&packed).map_or(true, |(_, other)| other == text));
    }
}

#[test]
fn checksums_are_compared() {
    let sum = checksum(b"kind: Pod\n");
    let good = [CHECKED, &sum].concat();
    assert_eq!(unpack(&good).unwrap(), (true, b"kind: Pod\n".to_vec()));
    let mut bad = good;
    let last = bad.len() - 1;
    bad[last] ^= 1;
    assert_eq!(unpack(&bad).unwrap_err().kind(), ErrorKind::InvalidData);
}

/// What a decoder works out for a text.
fn checksum(text: &[u8]) -> [u8; 4] {
    let mut decoder = FrameDecoder::new();
    let mut source = &[CHECKED, &[0; 4]].concat()[..];
    decoder.init(&mut source).unwrap();
    decoder.decode_blocks(&mut source, BlockDecodingStrategy::All).unwrap();
    assert_eq!(decoder.collect().unwrap(), text);
    decoder.get_calculated_checksum().unwrap().to_le_bytes()
}

#[test]
fn what_follows_packed_text_must_be_packed_too() {
    for packed in [gzip(b"a"), zstd(b"a")] {
        let error = unpack(&[&packed, &b"kind: A, in plain text"[..]].concat()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }
}

#[test]
fn a_bomb_is_refused_while_it_goes_off() {
    let zeros = vec![0; 1 << 20];
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    (0..100).for_each(|_| encoder.write_all(&zeros).unwrap());
    let bomb = encoder.finish().unwrap();
    let frame = zstd(&zeros);
    let frames: Vec<u8> = (0..100).flat_map(|_| frame.clone()).collect();
    for bomb in [bomb, frames] {
        let error = unpack(&bomb).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
        assert_eq!(error.to_string(), "it unpacks to more than 200 times its size");
    }
    // much text of few kinds of lines is none
    let lines: String = (0..400_000).map(|n| format!("- kind: Pod # {n}\n")).collect();
    assert_eq!(unpack(&gzip(lines.as_bytes())).unwrap(), (true, lines.into_bytes()));
}
