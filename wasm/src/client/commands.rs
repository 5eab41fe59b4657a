//! What TypeScript asks for, in bytes. `npm/src/commands.ts` writes what is read here.
//!
//! A batch is a sequence of commands without padding; all numbers are little-endian.
//!
//! ```text
//! command   u32 what it is, then
//!   OPENED  1  u32 link
//!   CLOSED  2  u32 link
//!   MESSAGE 3  u32 link  bytes                  one WebSocket message
//!   GET     4  options  bytes key  bytes context
//!   PUT     5  options  u64 ttl  bytes key  bytes context  bytes value
//!   DELETE  6  options  bytes key  bytes context
//!   CANCEL  7  u64 call
//!   CLOSE   8
//!   WAKE    9
//!   REDIAL 10  u32 wait in ms (0xffffffff: for ever)  text address (empty: all that failed)
//!   PING   11  u32 timeout in ms (0: the client's)  u64 node
//! options   u32 timeout in ms (0: the client's)  u8 r  u8 w  u8 receipt  u8 strict + 4 x local
//! ttl       milliseconds until the value reads as deleted; 0: it never does
//! strict    0: as configured  1: only the key's own replicas count  2: fallbacks count, too
//! local     0: as the client  1: replicas of the client's zone count alone  2: those of all zones
//! bytes     u32 length, then that many
//! ```
//!
//! GET, PUT, DELETE and PING carry no number: both sides count them from 1, and the n-th is call n.

use quorate_core::client::{CallOptions, Link};
use quorate_core::ids::NodeId;
use quorate_core::message::{CallId, QuorumChoice};
use quorate_core::time::Duration;

use super::bytes::Reader;

/// One thing that happened outside, or one request of the user.
#[derive(Debug, PartialEq)]
#[allow(missing_docs, reason = "the layout above names each part")]
pub enum Command<'batch> {
    Opened(Link),
    Closed(Link),
    Message { link: Link, bytes: &'batch [u8] },
    Get { options: CallOptions, key: &'batch [u8], context: &'batch [u8] },
    Put { options: CallOptions, key: &'batch [u8], context: &'batch [u8], value: &'batch [u8] },
    Delete { options: CallOptions, key: &'batch [u8], context: &'batch [u8] },
    Cancel(CallId),
    Close,
    Wake,
    Redial { address: Option<&'batch str>, wait: Option<Duration> },
    Ping { node: NodeId, timeout: Option<Duration> },
}

/// The commands of a batch, first to last.
///
/// # Panics
/// On a batch that breaks the layout: both sides of it are ours, so that is a bug.
#[derive(Debug)]
pub struct Commands<'batch> {
    reader: Reader<'batch>,
}

impl<'batch> Commands<'batch> {
    /// Reads `batch`.
    pub fn new(batch: &'batch [u8]) -> Commands<'batch> {
        Commands { reader: Reader::new(batch) }
    }

    fn link(&mut self) -> Link {
        Link(self.reader.u32())
    }

    fn timeout(&mut self) -> Option<Duration> {
        let timeout_ms = self.reader.u32();
        (timeout_ms > 0).then(|| Duration::from_millis(timeout_ms.into()))
    }

    fn options(&mut self) -> CallOptions {
        let timeout = self.timeout();
        let [r, w, receipt, modes] = self.reader.array();
        CallOptions {
            timeout,
            quorum: QuorumChoice { r, w },
            receipt: receipt != 0,
            strict: choice(modes & 3),
            local: choice(modes >> 2),
            ttl: None,
        }
    }

    fn put_options(&mut self) -> CallOptions {
        let options = self.options();
        let ttl_ms = self.reader.u64();
        CallOptions { ttl: (ttl_ms > 0).then(|| Duration::from_millis(ttl_ms)), ..options }
    }
}

/// 0: nothing is said, 1: yes, 2: no.
pub(super) fn choice(code: u8) -> Option<bool> {
    (code != 0).then_some(code == 1)
}

impl<'batch> Iterator for Commands<'batch> {
    type Item = Command<'batch>;

    fn next(&mut self) -> Option<Command<'batch>> {
        if self.reader.is_empty() {
            return None;
        }
        Some(match self.reader.u32() {
            1 => Command::Opened(self.link()),
            2 => Command::Closed(self.link()),
            3 => Command::Message { link: self.link(), bytes: self.reader.bytes() },
            4 => Command::Get {
                options: self.options(),
                key: self.reader.bytes(),
                context: self.reader.bytes(),
            },
            5 => Command::Put {
                options: self.put_options(),
                key: self.reader.bytes(),
                context: self.reader.bytes(),
                value: self.reader.bytes(),
            },
            6 => Command::Delete {
                options: self.options(),
                key: self.reader.bytes(),
                context: self.reader.bytes(),
            },
            7 => Command::Cancel(CallId(self.reader.u64())),
            8 => Command::Close,
            9 => Command::Wake,
            10 => {
                let wait_ms = self.reader.u32();
                let address = self.reader.text();
                Command::Redial {
                    address: (!address.is_empty()).then_some(address),
                    wait: (wait_ms != u32::MAX).then(|| Duration::from_millis(wait_ms.into())),
                }
            }
            11 => {
                let timeout = self.timeout();
                Command::Ping { node: NodeId(self.reader.u64()), timeout }
            }
            unknown => panic!("command {unknown} is unknown"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{CallOptions, Command, Commands};
    use quorate_core::client::Link;
    use quorate_core::ids::NodeId;
    use quorate_core::message::{CallId, QuorumChoice};
    use quorate_core::time::Duration;

    const OPTIONS: [u8; 8] = [0xc4, 0x09, 0, 0, 2, 3, 1, 1 | 2 << 2];

    fn options() -> CallOptions {
        CallOptions {
            timeout: Some(Duration::from_millis(2_500)),
            quorum: QuorumChoice { r: 2, w: 3 },
            receipt: true,
            strict: Some(true),
            local: Some(false),
            ttl: None,
        }
    }

    fn read(batch: &[&[u8]]) -> Vec<u8> {
        batch.concat()
    }

    #[test]
    fn a_batch_is_read_to_its_end_in_order() {
        let batch = read(&[
            &[1, 0, 0, 0, 7, 0, 0, 0],
            &[3, 0, 0, 0, 7, 0, 0, 0, 2, 0, 0, 0, 0xaa, 0xbb],
            &[4, 0, 0, 0],
            &OPTIONS,
            &[1, 0, 0, 0, b'k', 2, 0, 0, 0, b'c', b'x'],
            &[7, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0],
            &[2, 0, 0, 0, 7, 0, 0, 0],
            &[9, 0, 0, 0],
            &[10, 0, 0, 0, 0xe8, 3, 0, 0, 4, 0, 0, 0],
            b"ws:1",
            &[10, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0],
            &[11, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0],
            &[8, 0, 0, 0],
        ]);
        let commands: Vec<Command<'_>> = Commands::new(&batch).collect();
        let expected = [
            Command::Opened(Link(7)),
            Command::Message { link: Link(7), bytes: &[0xaa, 0xbb] },
            Command::Get { options: options(), key: b"k", context: b"cx" },
            Command::Cancel(CallId(0x1_0000_0001)),
            Command::Closed(Link(7)),
            Command::Wake,
            Command::Redial { address: Some("ws:1"), wait: Some(Duration::from_secs(1)) },
            Command::Redial { address: None, wait: None },
            Command::Ping { node: NodeId(0x1_0000_0009), timeout: None },
            Command::Close,
        ];
        assert_eq!(commands, expected);
    }

    #[test]
    fn a_put_carries_key_context_and_value() {
        let batch = read(&[
            &[5, 0, 0, 0],
            &[0, 0, 0, 0, 0, 0, 0, 2 | 1 << 2],
            &[0x30, 0x75, 0, 0, 1, 0, 0, 0],
            &[1, 0, 0, 0, b'k', 2, 0, 0, 0, b'c', b'x', 0, 0, 0, 0],
            &[5, 0, 0, 0],
            &OPTIONS,
            &[0; 8],
            &[1, 0, 0, 0, b'k', 0, 0, 0, 0, 1, 0, 0, 0, b'v'],
            &[6, 0, 0, 0],
            &OPTIONS,
            &[1, 0, 0, 0, b'k', 0, 0, 0, 0],
        ]);
        let commands: Vec<Command<'_>> = Commands::new(&batch).collect();
        let ttl = Some(Duration::from_millis(0x1_0000_0000 + 30_000));
        let sloppy = CallOptions { strict: Some(false), ttl, ..CallOptions::default() };
        let sloppy = CallOptions { local: Some(true), ..sloppy };
        let expected = [
            Command::Put { options: sloppy, key: b"k", context: b"cx", value: b"" },
            Command::Put { options: options(), key: b"k", context: b"", value: b"v" },
            Command::Delete { options: options(), key: b"k", context: b"" },
        ];
        assert_eq!(commands, expected);
    }

    #[test]
    #[should_panic(expected = "a batch ends behind a command")]
    fn a_batch_that_is_cut_is_a_bug() {
        Commands::new(&[1, 0, 0, 0, 7]).for_each(drop);
    }

    #[test]
    #[should_panic(expected = "command 77 is unknown")]
    fn an_unknown_command_is_a_bug() {
        Commands::new(&[77, 0, 0, 0]).for_each(drop);
    }
}
