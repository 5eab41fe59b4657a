//! `get`, `put` and `delete`.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use clap::Args;
use quorate_core::message::{Answer, Entry, EntryValue, Receipt, StandIn};
use serde_json::{Value, json};

use super::args::{ClientArgs, bytes, from_token, span, to_token};
use super::failure::{Failure, Kind};
use super::output::{Format, print, print_json, print_line};
use crate::client::{CallOptions, Completion, Request};

/// More than any value may have: what stdin holds beyond it is not read.
const STDIN_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Read a key.
///
/// The value goes to stdout as it is, without a newline. A key that is absent or deleted ends with
/// exit code 3. A key with several concurrent values ends with exit code 5, unless --all or -o json
/// asks for all of them.
///
/// Examples:
///   quorate get photo.jpg > photo.jpg
///   quorate get cart --context-file cart.ctx && quorate put cart '[]' --context-file cart.ctx
///   quorate get cart -o json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Get {
    /// The key.
    key: OsString,
    /// The context of an earlier get, put or delete: the read sees at least what that covers.
    #[arg(long, value_name = "TOKEN")]
    context: Option<String>,
    /// Print all concurrent values, a newline behind each.
    #[arg(long)]
    all: bool,
    /// Write the context into this file, for the put or delete that supersedes what was read.
    #[arg(long, value_name = "FILE")]
    context_file: Option<PathBuf>,
    #[command(flatten)]
    client: ClientArgs,
}

/// Write a key.
///
/// The value is an argument or, without one, all of stdin. On stdout comes the context of the
/// write: hand it to the next put to supersede this one. A put without a context supersedes
/// nothing: it stands beside what is there.
///
/// Examples:
///   quorate put greeting hello
///   quorate put photo.jpg < photo.jpg
///   context=$(quorate put greeting hello) && quorate put greeting bye --context $context
///   quorate put session token --ttl 30s
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Put {
    /// The key.
    key: OsString,
    /// The value; stdin where it is missing.
    value: Option<OsString>,
    /// Time after which the value reads as deleted: a number with ms, s, m, h or d behind it; a
    /// number alone is seconds. At most 36500d.
    #[arg(long, value_name = "TIME", value_parser = span)]
    ttl: Option<Duration>,
    #[command(flatten)]
    context: ContextArgs,
    #[command(flatten)]
    client: ClientArgs,
}

/// Delete a key.
///
/// With the context of a get just what was read is deleted; without one, what a quorum holds.
///
/// Examples:
///   quorate delete greeting
///   quorate delete greeting --context $context
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Delete {
    /// The key.
    key: OsString,
    #[command(flatten)]
    context: ContextArgs,
    #[command(flatten)]
    client: ClientArgs,
}

/// What a write supersedes.
#[derive(Debug, Args)]
struct ContextArgs {
    /// The context of an earlier get, put or delete.
    #[arg(long, value_name = "TOKEN", conflicts_with = "context_file")]
    context: Option<String>,
    /// A file with the context of an earlier get.
    #[arg(long, value_name = "FILE")]
    context_file: Option<PathBuf>,
}

impl ContextArgs {
    fn context(&self) -> Result<Bytes, Failure> {
        let token = match (&self.context, &self.context_file) {
            (Some(token), _) => token.clone(),
            (None, None) => return Ok(Bytes::new()),
            (None, Some(path)) => fs::read_to_string(path).map_err(|error| {
                Failure::failed(format_args!("context file {}: {error}", path.display()))
            })?,
        };
        from_token(&token)
    }
}

impl Get {
    pub(super) fn run(self, output: Format) -> Result<(), Failure> {
        let Get { key, context, all, context_file, client } = self;
        let key = bytes(key);
        let context = context.map_or(Ok(Bytes::new()), |token| from_token(&token))?;
        let json = output == Format::Json;
        let options = CallOptions { receipt: json, ..CallOptions::default() };
        let completion = call(client, key.clone(), Request::Get { context }, options)?;
        let Answer::Entry(entry) = &completion.answer else { return Err(wrong_answer()) };
        if let Some(path) = context_file {
            fs::write(&path, to_token(&entry.context)).map_err(|error| {
                Failure::failed(format_args!("context file {}: {error}", path.display()))
            })?;
        }
        if json {
            print_json(&entry_json(&key, entry, &completion))?;
        }
        match &entry.values[..] {
            [] => Err(Failure::new(Kind::Absent, "the key is absent")),
            _ if json => Ok(()),
            [only] => print(&only.payload),
            several if all => several.iter().try_for_each(|value| {
                print(&value.payload)?;
                print(b"\n")
            }),
            several => {
                let text = format!(
                    "the key has {} concurrent values: read them with --all or -o json, merge \
                     them, and put the result with the context",
                    several.len()
                );
                Err(Failure::new(Kind::Conflict, text))
            }
        }
    }
}

impl Put {
    pub(super) fn run(self, output: Format) -> Result<(), Failure> {
        let Put { key, value, ttl, context, client } = self;
        let context = context.context()?;
        let value = match value {
            Some(value) => bytes(value),
            None => read_stdin()?,
        };
        write(client, bytes(key), Request::Put { value, context }, ttl, output)
    }
}

impl Delete {
    pub(super) fn run(self, output: Format) -> Result<(), Failure> {
        let Delete { key, context, client } = self;
        let context = context.context()?;
        write(client, bytes(key), Request::Delete { context }, None, output)
    }
}

fn read_stdin() -> Result<Bytes, Failure> {
    let mut value = Vec::new();
    let read = io::stdin().lock().take(STDIN_BYTES_MAX + 1).read_to_end(&mut value);
    read.map_err(|error| Failure::failed(format_args!("stdin: {error}")))?;
    if value.len() as u64 > STDIN_BYTES_MAX {
        let text =
            format!("stdin holds more than {STDIN_BYTES_MAX} bytes, more than any value may");
        return Err(Failure::failed(text));
    }
    Ok(Bytes::from(value))
}

fn write(
    client: ClientArgs,
    key: Bytes,
    request: Request,
    ttl: Option<Duration>,
    output: Format,
) -> Result<(), Failure> {
    let receipt = output == Format::Json;
    let options = CallOptions { receipt, ttl, ..CallOptions::default() };
    let completion = call(client, key.clone(), request, options)?;
    let Answer::Written(written) = &completion.answer else { return Err(wrong_answer()) };
    if output == Format::Json {
        return print_json(&json!({
            "key": STANDARD.encode(&key),
            "context": to_token(&written.context),
            "siblings": written.siblings,
            "node": completion.node.to_string(),
            "direct": completion.direct,
            "receipt": completion.receipt.as_ref().map(receipt_json),
        }));
    }
    if written.siblings > 1 {
        eprintln!(
            "quorate: the key now has {} concurrent values; see `quorate get --help`",
            written.siblings
        );
    }
    print_line(&to_token(&written.context))
}

fn call(
    client: ClientArgs,
    key: Bytes,
    request: Request,
    options: CallOptions,
) -> Result<Completion, Failure> {
    client.run(async |client| Ok(client.call(key, request, options).await?))
}

fn wrong_answer() -> Failure {
    Failure::failed("the node answered another question")
}

fn entry_json(key: &[u8], entry: &Entry, completion: &Completion) -> Value {
    let value = |value: &EntryValue| {
        json!({
            "base64": STANDARD.encode(&value.payload),
            "written_ms": value.written.0,
            "expires_ms": value.expires.map(|at| at.0),
        })
    };
    let values = entry.values.iter().map(value);
    json!({
        "key": STANDARD.encode(key),
        "values": values.collect::<Vec<_>>(),
        "tombstones": entry.tombstones,
        "context": to_token(&entry.context),
        "node": completion.node.to_string(),
        "direct": completion.direct,
        "receipt": completion.receipt.as_ref().map(receipt_json),
    })
}

fn receipt_json(receipt: &Receipt) -> Value {
    let ids = |ids: &[quorate_core::ids::NodeId]| -> Vec<String> {
        ids.iter().map(ToString::to_string).collect()
    };
    let stand_in =
        |one: &StandIn| json!({ "node": one.node.to_string(), "primary": one.primary.to_string() });
    json!({
        "coordinator": receipt.coordinator.to_string(),
        "primaries": ids(&receipt.primaries),
        "fallbacks": receipt.fallbacks.iter().map(stand_in).collect::<Vec<_>>(),
        "repaired": ids(&receipt.repaired),
        "needed": receipt.needed,
        "zone": receipt.zone.as_deref(),
        "layout_version": receipt.layout_version.0,
    })
}
