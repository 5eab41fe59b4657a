//! A request before it is known who runs it.

use crate::layout::LayoutVersion;
use crate::machine::Peer;
use crate::message::{CallId, Change, Get, Message, Put, RequestHead, Strictness};
use crate::ring::Slot;

/// A get or a put.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    Get(Get),
    Put(Put),
}

impl Request {
    pub(crate) fn head(&self) -> &RequestHead {
        match self {
            Request::Get(get) => &get.head,
            Request::Put(put) => &put.head,
        }
    }

    pub(crate) fn head_mut(&mut self) -> &mut RequestHead {
        match self {
            Request::Get(get) => &mut get.head,
            Request::Put(put) => &mut put.head,
        }
    }

    pub(crate) fn strictness(&self) -> Strictness {
        self.head().strictness
    }

    /// Whether it may change something.
    pub(crate) fn is_write(&self) -> bool {
        matches!(self, Request::Put(_))
    }

    /// The bytes that it brings along.
    pub(crate) fn bytes(&self) -> usize {
        let key = self.head().key.as_bytes().len();
        let rest = match self {
            Request::Get(get) => get.context.len(),
            Request::Put(put) => {
                let value = match &put.change {
                    Change::Value { payload, .. } => payload.len(),
                    Change::Delete => 0,
                };
                put.context.len() + value
            }
        };
        key + rest
    }

    pub(crate) fn message(&self) -> Message {
        match self {
            Request::Get(get) => Message::Get(get.clone()),
            Request::Put(put) => Message::Put(put.clone()),
        }
    }
}

/// Who wants the answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asker {
    pub(crate) peer: Peer,
    pub(crate) call: CallId,
    pub(crate) layout_version: LayoutVersion,
    pub(crate) receipt: bool,
    /// Bytes of the request.
    pub(crate) bytes: usize,
    /// The slot of its key, where there is a layout.
    pub(crate) slot: Option<Slot>,
    /// Whether an earlier try at another node may have had an effect.
    pub(crate) maybe: bool,
}

impl Asker {
    pub(crate) fn new(peer: Peer, request: &Request, slot: Option<Slot>) -> Asker {
        let head = request.head();
        Asker {
            peer,
            call: head.call,
            layout_version: head.layout_version,
            receipt: head.receipt,
            bytes: request.bytes(),
            slot,
            maybe: false,
        }
    }
}
