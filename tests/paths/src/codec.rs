//! Between messages or records and their bytes.

use std::cell::RefCell;
use std::hint::black_box;
use std::rc::Rc;

use bytes::Bytes;
use quorate_core::codec;
use quorate_core::message::Message;

use crate::{Step, samples};

/// Appends a frame to a buffer that is kept, as that of a connection is.
pub(crate) fn encode(message: Message) -> Box<dyn FnMut() -> Step> {
    let message = Rc::new(message);
    let buffer = Rc::new(RefCell::new(Vec::with_capacity(4096)));
    Box::new(move || {
        let (message, buffer) = (message.clone(), buffer.clone());
        Box::new(move || {
            let mut buffer = buffer.borrow_mut();
            buffer.clear();
            codec::encode(&message, &mut buffer);
            black_box(&*buffer);
        })
    })
}

/// Takes a frame out of a WebSocket message and reads it.
pub(crate) fn decode(message: Message) -> Box<dyn FnMut() -> Step> {
    let mut bytes = Vec::new();
    codec::encode(&message, &mut bytes);
    let bytes = Bytes::from(bytes);
    Box::new(move || {
        let bytes = bytes.clone();
        Box::new(move || {
            for frame in codec::frames(bytes, 1 << 20) {
                let frame = frame.expect("a whole frame");
                black_box(codec::decode(frame).expect("a message"));
            }
        })
    })
}

pub(crate) fn encode_held() -> Box<dyn FnMut() -> Step> {
    let held = Rc::new(samples::held(0));
    Box::new(move || {
        let held = held.clone();
        Box::new(move || drop(black_box(codec::encode_held(&held))))
    })
}

pub(crate) fn decode_held() -> Box<dyn FnMut() -> Step> {
    let bytes = Bytes::from(codec::encode_held(&samples::held(0)));
    Box::new(move || {
        let bytes = bytes.clone();
        Box::new(move || drop(black_box(codec::decode_held(bytes).expect("what was encoded"))))
    })
}
