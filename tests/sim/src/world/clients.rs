//! Clients, and what they are made to do.

use bytes::Bytes;
use quorate_core::client::{CallOptions, Client, ClientConfig};
use quorate_core::ids::Key;
use quorate_core::message::{CallId, Strictness};
use quorate_core::time::Instant;
use std::collections::{BTreeMap, BTreeSet};

use super::clock::Clock;
use super::{ClientSlot, PATIENCE, World, address};
use crate::observation::{Asked, CallStarted, Caller, Cancelled, Observation};
use crate::result::{Ended, Finished};

impl World {
    /// A client that knows all nodes as seeds; answers its index.
    pub fn add_client(&mut self) -> usize {
        let all: Vec<usize> = (0..self.nodes.len()).collect();
        self.add_client_with_seeds(&all)
    }

    /// A client that knows some nodes as seeds; answers its index.
    pub fn add_client_with_seeds(&mut self, seeds: &[usize]) -> usize {
        let config = ClientConfig {
            seeds: seeds.iter().map(|seed| address(*seed)).collect(),
            timeout: self.config.timeout,
            coordinate: self.config.coordinate,
            limits: self.config.limits.clone(),
            ..ClientConfig::default()
        };
        let client = Client::new(config, self.prng.next_u64());
        self.clients.push(ClientSlot {
            client,
            ended: BTreeMap::new(),
            calls: 0,
            wake: None,
            clock: Clock::default(),
            frozen: None,
            fuse: None,
            dead: false,
            given_up: BTreeSet::new(),
            stale: None,
        });
        let index = self.clients.len() - 1;
        self.with_client(index, |client, now, out| client.start(now, out));
        index
    }

    /// A client whose first layout is an old one, in which other nodes are primaries.
    pub fn add_stale_client(&mut self) -> usize {
        let index = self.add_client();
        self.clients[index].stale = self.old_layout();
        index
    }

    /// Starts a read.
    pub fn get(&mut self, client: usize, key: &str) -> CallId {
        self.get_with(client, key, CallOptions::default())
    }

    /// Starts a read with options.
    pub fn get_with(&mut self, client: usize, key: &str, options: CallOptions) -> CallId {
        self.call(client, key, Asked::Get, options)
    }

    /// Starts a blind put.
    pub fn put(&mut self, client: usize, key: &str, value: &str) -> CallId {
        self.put_with(client, key, value, Bytes::new(), CallOptions::default())
    }

    /// Starts a put with a context and options.
    pub fn put_with(
        &mut self,
        client: usize,
        key: &str,
        value: &str,
        context: Bytes,
        options: CallOptions,
    ) -> CallId {
        let value = Bytes::copy_from_slice(value.as_bytes());
        self.call(client, key, Asked::Put { value, context }, options)
    }

    /// Starts a delete.
    pub fn delete(&mut self, client: usize, key: &str, context: Bytes) -> CallId {
        self.call(client, key, Asked::Delete { context }, CallOptions::default())
    }

    /// Starts any call.
    pub fn call(&mut self, client: usize, key: &str, asked: Asked, options: CallOptions) -> CallId {
        let key = Key::from(key.as_bytes().to_vec());
        let slot = &mut self.clients[client];
        slot.calls += 1;
        // The n-th call of a client has the number n.
        let expected = CallId(slot.calls);
        self.observe(&Observation::CallStarted(CallStarted {
            caller: Caller::Client(client),
            call: expected,
            key: &key,
            asked: &asked,
            quorum: options.quorum,
            strictness: match options.strict {
                None => Strictness::Configured,
                Some(true) => Strictness::Strict,
                Some(false) => Strictness::Sloppy,
            },
            timeout: options.timeout.unwrap_or(self.config.timeout),
        }));
        let call = self.with_client(client, |client, now, out| match asked {
            Asked::Get => client.get(now, key, Bytes::new(), options, out),
            Asked::Session { context } => client.get(now, key, context, options, out),
            Asked::Put { value, context } => client.put(now, key, value, context, options, out),
            Asked::Delete { context } => client.delete(now, key, context, options, out),
        });
        assert_eq!(call, expected, "calls are numbered from 1");
        call
    }

    /// Takes a call back.
    pub fn cancel(&mut self, client: usize, call: CallId) {
        self.observe(&Observation::Cancelled(Cancelled { client, call }));
        self.with_client(client, |client, now, out| client.cancel(now, call, out));
    }

    /// Lets time pass until a call has ended.
    ///
    /// # Errors
    /// As the call ended.
    ///
    /// # Panics
    /// Where the call outlives every deadline.
    pub fn finish(&mut self, client: usize, call: CallId) -> Ended {
        let until = self.now + PATIENCE;
        while !self.clients[client].ended.contains_key(&call) {
            assert!(self.now < until && self.step(), "call {call:?} never ends");
        }
        self.ended(client, call).expect("it has just ended")
    }

    /// How a call ended, if it has.
    pub fn ended(&self, client: usize, call: CallId) -> Option<Ended> {
        let (_, ended) = self.clients[client].ended.get(&call)?;
        Some(ended.clone().map(Finished))
    }

    /// When a call ended, if it has.
    pub fn ended_at(&self, client: usize, call: CallId) -> Option<Instant> {
        self.clients[client].ended.get(&call).map(|(at, _)| *at)
    }

    /// The machine of a client.
    pub fn client(&self, client: usize) -> &Client {
        &self.clients[client].client
    }
}
