//! How a call ended, in a form that tests read easily.

use quorate_core::client::{CallError, Completion};
use quorate_core::message::{Answer, Entry, Written};

/// How a call of a client ended.
pub type Ended = Result<Finished, CallError>;

/// A call that ended well.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished(pub Completion);

impl Finished {
    /// What a get returned.
    ///
    /// # Panics
    /// Where the call was no get.
    pub fn entry(&self) -> &Entry {
        match &self.0.answer {
            Answer::Entry(entry) => entry,
            Answer::Written(written) => panic!("a put was taken for a get: {written:?}"),
        }
    }

    /// The values that a get returned, as text, sorted.
    pub fn texts(&self) -> Vec<String> {
        let texts = self.entry().values.iter();
        let mut texts: Vec<String> =
            texts.map(|value| String::from_utf8_lossy(&value.payload).into_owned()).collect();
        texts.sort();
        texts
    }

    /// What a put or delete returned.
    ///
    /// # Panics
    /// Where the call was a get.
    pub fn written(&self) -> &Written {
        match &self.0.answer {
            Answer::Written(written) => written,
            Answer::Entry(entry) => panic!("a get was taken for a put: {entry:?}"),
        }
    }

    /// The context, of a get or a put.
    pub fn context(&self) -> bytes::Bytes {
        match &self.0.answer {
            Answer::Entry(entry) => entry.context.clone(),
            Answer::Written(written) => written.context.clone(),
        }
    }
}
