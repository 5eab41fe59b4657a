//! Parts of buffers that are kept for long.

use bytes::Bytes;

/// What is shorter moves out of whatever it is a part of.
const STAYS_BYTES_MIN: usize = 16 * 1024;

/// The same bytes. Few of them move out of the buffer that they are a part of: kept there, a key or
/// a value would keep all of it.
pub(crate) fn moved(bytes: Bytes) -> Bytes {
    match bytes.len() < STAYS_BYTES_MIN {
        true => Bytes::copy_from_slice(&bytes),
        false => bytes,
    }
}

/// The same bytes, moved out of a buffer of `whole` bytes unless they are most of it. Where nothing
/// is kept in it the buffer is filled again; one that is not is as long as all that it held, for as
/// long as one value of it stands, and the next one is new memory.
pub(crate) fn moved_from(whole: usize, bytes: Bytes) -> Bytes {
    match bytes.len() <= whole / 2 {
        true => Bytes::copy_from_slice(&bytes),
        false => moved(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a part of so many bytes of a buffer of `whole` moves.
    fn moves(whole: usize, part: usize) -> bool {
        let buffer = Bytes::from(vec![1; whole]);
        let part = buffer.slice(whole - part..);
        let moved = moved_from(whole, part.clone());
        assert_eq!(moved, part);
        moved.as_ptr() != part.as_ptr()
    }

    #[test]
    fn what_is_most_of_a_long_buffer_stays() {
        assert!(!moves(100_000, 90_000));
        assert!(moves(100_000, 50_000) && moves(1_000_000, 60_000), "others are in it, too");
        assert!(moves(1_000, 1_000), "a short one has room for more than it holds");
    }
}
