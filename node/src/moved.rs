//! Small parts of large buffers that are kept for long.

use bytes::Bytes;

const MOVED_BYTES_MAX: usize = 16 * 1024;

/// The same bytes. Few of them move out of the buffer that they are a part of: kept there, a key or
/// a value would keep all of it.
pub(crate) fn moved(bytes: Bytes) -> Bytes {
    match bytes.len() <= MOVED_BYTES_MAX {
        true => Bytes::copy_from_slice(&bytes),
        false => bytes,
    }
}
