//! Writers: each puts new keys and now and then supersedes what it wrote itself.

use std::sync::PoisonError;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use quorate_core::message::Answer;
use quorate_core::prng::Prng;
use quorate_node::client::{CallOptions, Client, ClientError, Request, Written};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::book::Draft;
use crate::ledger::{Own, Shared};

/// What all writers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    Paused,
    /// Each rests for up to so long after each write.
    Writing {
        rest: Duration,
    },
}

/// Writes until it is told to pause.
pub(crate) async fn write(shared: Shared, writer: u32, own: Own, pace: watch::Receiver<Pace>) {
    let began = shared.book().keys();
    let mut prng = Prng::stream(shared.values.seed, &format!("writer {writer} from {began}"));
    let client = shared.clients[writer as usize % shared.clients.len()].clone();
    loop {
        let Pace::Writing { rest } = *pace.borrow() else { return };
        let draft = draft(&shared, &own, &mut prng);
        let ended = put_draft(&client, &shared, &draft, CallOptions::default()).await;
        shared.book().note(&draft, ended);
        sleep(Duration::from_millis(prng.below(rest.as_millis() as u64 + 1))).await;
    }
}

/// One write in four goes to a key that the same writer has written before.
fn draft(shared: &Shared, own: &Own, prng: &mut Prng) -> Draft {
    let mut own = own.lock().unwrap_or_else(PoisonError::into_inner);
    let mut book = shared.book();
    if !own.is_empty() && prng.chance(1, 4) {
        let number = own[prng.below(own.len() as u64) as usize];
        if book.is_open(number) {
            return book.draft(number);
        }
    }
    let number = book.open();
    own.push(number);
    book.draft(number)
}

/// Puts new keys, so many at one time, each once.
pub(crate) async fn put(shared: &Shared, keys: u64, at_one_time: usize, options: CallOptions) {
    let puts = (0..keys).map(|index| async move {
        let draft = {
            let mut book = shared.book();
            let number = book.open();
            book.draft(number)
        };
        let client = &shared.clients[index as usize % shared.clients.len()];
        let ended = put_draft(client, shared, &draft, options).await;
        shared.book().note(&draft, ended);
    });
    stream::iter(puts).buffer_unordered(at_one_time).collect::<()>().await;
}

async fn put_draft(
    client: &Client,
    shared: &Shared,
    draft: &Draft,
    options: CallOptions,
) -> Result<Written, ClientError> {
    let key = shared.values.key(draft.number);
    let value: Bytes = shared.values.value(draft.number, draft.version);
    let request = Request::Put { value, context: draft.context.clone() };
    match client.call(key, request, options).await?.answer {
        Answer::Written(written) => Ok(written),
        Answer::Entry(_) => Err(ClientError::WrongAnswer),
    }
}
