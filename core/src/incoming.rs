//! A request before it is known who runs it.

use crate::message::{Change, Get, Message, Put, RequestHead, Strictness};

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
