//! Numbers, bytes and text in the order in which they are read and written.
//!
//! ```text
//! numbers   little-endian, without padding
//! bytes     u32 length, then that many
//! text      bytes in UTF-8
//! ```

/// Reads what TypeScript has written.
///
/// # Panics
/// Where bytes are missing: both sides are ours, so that is a bug.
#[derive(Debug)]
pub(super) struct Reader<'batch> {
    rest: &'batch [u8],
}

impl<'batch> Reader<'batch> {
    pub(super) fn new(bytes: &'batch [u8]) -> Reader<'batch> {
        Reader { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn array<const LEN: usize>(&mut self) -> [u8; LEN] {
        let (head, rest) = self.rest.split_first_chunk().expect("a batch ends behind a command");
        self.rest = rest;
        *head
    }

    pub(super) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    pub(super) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    pub(super) fn bytes(&mut self) -> &'batch [u8] {
        let length = self.u32() as usize;
        let (bytes, rest) =
            self.rest.split_at_checked(length).expect("a batch ends behind a command");
        self.rest = rest;
        bytes
    }

    pub(super) fn text(&mut self) -> &'batch str {
        core::str::from_utf8(self.bytes()).expect("TextEncoder writes UTF-8")
    }
}

/// Writes what TypeScript will read.
#[derive(Debug, Default)]
pub(super) struct Writer {
    pub(super) written: Vec<u8>,
}

impl Writer {
    pub(super) fn u16(&mut self, number: u16) {
        self.written.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn u32(&mut self, number: u32) {
        self.written.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn u64(&mut self, number: u64) {
        self.written.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn length(&mut self, length: usize) {
        self.u32(u32::try_from(length).expect("wasm memory ends at 4 GiB"));
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.written.extend_from_slice(bytes);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }
}
