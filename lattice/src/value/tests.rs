//! Values to bytes and back, and bytes that are refused.

use std::fmt::Debug;

use bytes::Bytes;

use super::{
    Decode, Encode, Fault, Handle, PinnedHandle, Pins, Reader, StreamRef, Writer, decode_exact,
    encode,
};
use crate::id::ProcessId;

/// `value` is written as `bytes`, and they are read as `value`.
fn check<T: Encode + Decode + Debug + PartialEq>(value: T, bytes: &[u8]) {
    assert_eq!(encode(&value), bytes, "{value:?}");
    assert_eq!(decode_exact::<T>(&Bytes::copy_from_slice(bytes)), Ok(value));
}

/// `bytes` are refused as a `T`, for this reason.
fn refuse<T: Decode + Debug>(bytes: &[u8], fault: Fault) {
    let refused = decode_exact::<T>(&Bytes::copy_from_slice(bytes)).unwrap_err();
    assert_eq!(refused.fault, fault, "{bytes:x?}");
}

#[test]
fn each_type_has_its_bytes() {
    check(true, &[1]);
    check(200_u8, &[200]);
    check(-1_i8, &[0xff]);
    check(300_u16, &[0xac, 0x02]);
    check(u32::MAX, &[0xff, 0xff, 0xff, 0xff, 0x0f]);
    check(u64::MAX, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
    check(-64_i16, &[0x40]);
    check(64_i32, &[0xc0, 0x00]);
    check(-65_i32, &[0xbf, 0x7f]);
    check(i64::MIN, &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f]);
    check(i64::MAX, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00]);
    check(1.5_f32, &[0, 0, 0xc0, 0x3f]);
    check(-2.0_f64, &[0, 0, 0, 0, 0, 0, 0, 0xc0]);
    check('ß', &[0xc3, 0x9f]);
    check('🦀', "🦀".as_bytes());
    check("ab".to_owned(), &[2, b'a', b'b']);
    check(vec![1_u32, 128], &[2, 1, 0x80, 0x01]);
    check(vec![7_u8, 255], &[2, 7, 255]);
    check(Bytes::from_static(&[7, 255]), &[2, 7, 255]);
    check(Some(5_u8), &[1, 5]);
    check(None::<u8>, &[0]);
    check(Ok::<u8, ()>(5), &[0, 5]);
    check(Err::<u8, ()>(()), &[1]);
    check((1_u8, "x".to_owned(), true), &[1, 1, b'x', 1]);
    check((), &[]);
    check(Handle::stateless("b"), &[2, 0, b'b']);
    let pinned = PinnedHandle { owner: ProcessId::from_bytes([1; 16]), nonce: [2; 16] };
    check(Handle::Pinned(pinned), &[&[33, 1][..], &[1; 16], &[2; 16]].concat());
}

#[test]
fn every_nan_is_the_canonical_one() {
    for nan in [f32::NAN, -f32::NAN, f32::from_bits(0x7f80_0001)] {
        assert_eq!(encode(&nan)[..], [0, 0, 0xc0, 0x7f]);
        let foreign = Bytes::copy_from_slice(&nan.to_le_bytes());
        assert_eq!(decode_exact::<f32>(&foreign).unwrap().to_bits(), 0x7fc0_0000);
    }
    assert_eq!(encode(&-f64::NAN)[..], [0, 0, 0, 0, 0, 0, 0xf8, 0x7f]);
}

#[test]
fn value_knows_who_keeps_its_pinned_handles() {
    let (one, other) = (ProcessId::from_bytes([1; 16]), ProcessId::from_bytes([2; 16]));
    let pinned = |owner| Handle::Pinned(PinnedHandle { owner, nonce: [7; 16] });
    let mut writer = Writer::new();
    Handle::stateless("b").encode(&mut writer);
    assert_eq!(writer.pins(), None);
    pinned(one).encode(&mut writer);
    pinned(one).encode(&mut writer);
    assert_eq!(writer.pins(), Some(Pins::One(one)));
    pinned(other).encode(&mut writer);
    assert_eq!(writer.pins(), Some(Pins::Several));
}

#[test]
fn what_the_writer_does_not_write_is_refused() {
    refuse::<bool>(&[2], Fault::NotABool(2));
    refuse::<Option<u8>>(&[7, 1], Fault::NotABool(7));
    refuse::<u8>(&[], Fault::CutOff);
    refuse::<u8>(&[1, 2, 3], Fault::Trailing(2));
    refuse::<u16>(&[0xff, 0xff, 0x04], Fault::Overflow);
    refuse::<i16>(&[0xff, 0xff, 0x02], Fault::Overflow);
    refuse::<u32>(&[0x80, 0x00], Fault::NotShortest);
    refuse::<i32>(&[0xff, 0x7f], Fault::NotShortest);
    refuse::<i32>(&[0x80, 0x00], Fault::NotShortest);
    refuse::<u64>(&[0xff; 10], Fault::Overflow);
    refuse::<u64>(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], Fault::Overflow);
    refuse::<i64>(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], Fault::Overflow);
    refuse::<u64>(&[0xff, 0xff, 0xff], Fault::CutOff);
    refuse::<char>(&[0xc3], Fault::CutOff);
    refuse::<char>(&[0xed, 0xa0, 0x80], Fault::NotUtf8);
    refuse::<String>(&[1, 0xff], Fault::NotUtf8);
    refuse::<Handle>(&[0], Fault::HandleKind);
    refuse::<Handle>(&[1, 1], Fault::HandleKind);
    refuse::<Handle>(&[1, 2], Fault::HandleKind);
    refuse::<(StreamRef, StreamRef)>(&[0, 0], Fault::StreamOrder);
    refuse::<StreamRef>(&[1], Fault::StreamOrder);
}

#[test]
fn list_that_cannot_fit_is_refused_before_it_is_read() {
    refuse::<Vec<String>>(&[0xff, 0xff, 0xff, 0x7f, 0], Fault::ListTooLong(0x0fff_ffff));
    refuse::<Bytes>(&[3, 1, 2], Fault::ListTooLong(3));
    refuse::<Vec<()>>(&[1], Fault::ListTooLong(1));
}

#[test]
fn flags_fill_whole_bytes_and_spare_bits_are_zero() {
    let bytes = Bytes::from_static(&[0xff, 0x03]);
    let mut reader = Reader::new(&bytes).unwrap();
    assert_eq!(reader.flags(10).unwrap(), &[0xff, 0x03]);
    let mut reader = Reader::new(&bytes).unwrap();
    assert_eq!(reader.flags(9).unwrap_err().fault, Fault::NoSuchFlag);
    let mut reader = Reader::new(&bytes).unwrap();
    assert_eq!(reader.flags(8).unwrap(), &[0xff]);
}

#[test]
fn lists_of_bytes_are_read_without_copying() {
    let value = encode(&(1_u8, Bytes::from_static(b"payload")));
    let (_, payload): (u8, Bytes) = decode_exact(&value).unwrap();
    assert_eq!(payload.as_ptr(), value[2..].as_ptr());
}

#[test]
fn streams_are_numbered_as_they_occur() {
    let mut writer = Writer::new();
    assert_eq!((writer.put_stream(), writer.put_stream()), (0, 1));
    let read: (StreamRef, StreamRef) = decode_exact(&writer.finish()).unwrap();
    assert_eq!(read, (StreamRef(0), StreamRef(1)));
}
