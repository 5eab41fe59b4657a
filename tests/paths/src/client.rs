//! The client's half of a request: from the call to the frame, and from the answer to the end of the
//! call.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use quorate_core::client::{CallOptions, Client, ClientConfig, ClientEffect, ClientInput, Link};
use quorate_core::codec::{self, decode_answer, encode_request};
use quorate_core::ids::{ClusterId, Incarnation, Key, NodeId};
use quorate_core::machine::Effects;
use quorate_core::message::{
    Answer, Defaults, LayoutUpdate, Message, PROTOCOL_VERSION, Welcome, Written,
};

use crate::{Step, samples};

const NODES: u16 = 3;
/// Between two steps.
const PAUSE_MICROS: u64 = 100;

pub(crate) fn puts(batch: u64) -> Box<dyn FnMut() -> Step> {
    let context = samples::record().context().to_token(&samples::key(0));
    let answer = Answer::Written(Written { context, siblings: 1 });
    steps(batch, answer, |user, key| {
        let (now, options) = (samples::now(user.micros), CallOptions::default());
        user.client.put(now, key, samples::value(), Bytes::new(), options, &mut user.out);
    })
}

pub(crate) fn gets(batch: u64) -> Box<dyn FnMut() -> Step> {
    let answer = Answer::Entry(samples::entry(&samples::key(0)));
    steps(batch, answer, |user, key| {
        let (now, options) = (samples::now(user.micros), CallOptions::default());
        user.client.get(now, key, Bytes::new(), options, &mut user.out);
    })
}

/// Steps of so many calls at one time, whose answers come in one WebSocket message.
fn steps(
    batch: u64,
    answer: Answer,
    call: impl Fn(&mut User, Key) + Copy + 'static,
) -> Box<dyn FnMut() -> Step> {
    let mut user = User::connected();
    // The n-th call has the number n.
    let mut last_call = user.calls;
    user.ended = 0;
    let user = Rc::new(RefCell::new(user));
    Box::new(move || {
        let mut keys = Vec::new();
        let mut answers = Vec::new();
        for number in last_call + 1..=last_call + batch {
            keys.push(samples::key(number));
            let reply = Message::Reply(samples::reply_of(number, answer.clone()));
            codec::encode(&reply, &mut answers);
        }
        last_call += batch;
        let (user, answers) = (user.clone(), Bytes::from(answers));
        Box::new(move || {
            let mut user = user.borrow_mut();
            let ended = user.ended + keys.len() as u64;
            user.buffer.clear();
            for key in keys {
                call(&mut user, key);
                user.carry_out();
            }
            black_box(&user.buffer);
            user.receive(answers);
            assert_eq!(user.ended, ended, "each call has ended");
            user.micros += PAUSE_MICROS;
        })
    })
}

/// A client that is connected to three nodes.
struct User {
    client: Client,
    layout: Arc<LayoutUpdate>,
    out: Effects<ClientEffect>,
    micros: u64,
    /// What was sent since the step began.
    buffer: Vec<u8>,
    /// Links that were dialled and did not answer yet.
    dialled: Vec<(Link, u64)>,
    /// The links on which requests were sent that are not answered, in the order of the calls.
    asked: VecDeque<Link>,
    calls: u64,
    ended: u64,
}

impl User {
    fn connected() -> User {
        let seeds = vec!["ws://1".into()];
        let config = ClientConfig { seeds, ..ClientConfig::default() };
        let mut user = User {
            client: Client::new(config, 1),
            layout: samples::layout(NODES, 64),
            out: Effects::new(),
            micros: 0,
            buffer: Vec::new(),
            dialled: Vec::new(),
            asked: VecDeque::new(),
            calls: 0,
            ended: 0,
        };
        user.client.start(samples::now(0), &mut user.out);
        user.welcome();
        // Enough for each node to be asked once: it is dialled then.
        for number in 0..64 {
            let (now, options) = (samples::now(user.micros), CallOptions::default());
            let (key, context) = (samples::key(number), Bytes::new());
            let call = user.client.get(now, key, context, options, &mut user.out);
            user.calls = call.0;
            user.welcome();
            let answer = Answer::Entry(samples::entry(&samples::key(number)));
            let mut bytes = Vec::new();
            codec::encode(&Message::Reply(samples::reply_of(call.0, answer)), &mut bytes);
            user.receive(bytes.into());
        }
        assert_eq!(user.ended, 64, "each call has ended");
        user
    }

    /// The nodes that were dialled answer, until none is left.
    fn welcome(&mut self) {
        self.carry_out();
        while let Some((link, node)) = self.dialled.pop() {
            let now = samples::now(self.micros);
            self.client.handle(now, ClientInput::Opened(link), &mut self.out);
            let message = Message::Welcome(welcome_of(node, self.layout.clone()));
            self.client.handle(now, ClientInput::Frame { link, message }, &mut self.out);
            self.carry_out();
        }
    }

    fn receive(&mut self, bytes: Bytes) {
        for frame in codec::frames(bytes, 1 << 20) {
            let message = decode_answer(frame.expect("a whole frame")).expect("an answer");
            let link = self.asked.pop_front().expect("an answer follows a request");
            let now = samples::now(self.micros);
            self.client.handle(now, ClientInput::Frame { link, message }, &mut self.out);
            self.carry_out();
        }
    }

    fn carry_out(&mut self) {
        while let Some(effect) = self.out.pop() {
            match effect {
                ClientEffect::Dial { link, address } => {
                    let node = address.trim_start_matches("ws://").parse().expect("a number");
                    self.dialled.push((link, node));
                }
                ClientEffect::Send { link, message } => {
                    if let Message::Get(_) | Message::Put(_) = &message {
                        self.asked.push_back(link);
                    }
                    encode_request(&message, &mut self.buffer);
                }
                ClientEffect::Complete { result, .. } => {
                    self.ended += 1;
                    drop(black_box(result.expect("nothing fails here")));
                }
                ClientEffect::Observe(event) => drop(black_box(event)),
                ClientEffect::Hangup(_) => panic!("no connection is given up here"),
                ClientEffect::Pong { .. } => panic!("nobody is pinged here"),
            }
        }
    }
}

fn welcome_of(node: u64, layout: Arc<LayoutUpdate>) -> Welcome {
    let defaults = Defaults {
        r: 2,
        w: 2,
        allow_weak: false,
        key_bytes_max: 1024,
        value_bytes_max: 1 << 20,
        calls_max: 1024,
        strict: false,
    };
    Welcome {
        version: PROTOCOL_VERSION,
        cluster: ClusterId(1),
        node: NodeId(node),
        label: "n".into(),
        incarnation: Incarnation(1),
        defaults,
        layout: Some(layout),
        down: Vec::new(),
    }
}
