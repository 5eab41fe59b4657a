//! Why a client cannot do what it was asked.

use std::fmt;

use quorate_core::client::{CallError, ErrorCode};
use quorate_core::message::{Outcome, Reject};

/// Why a client cannot do what it was asked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClientError {
    /// A call failed.
    Call(CallError),
    /// No seed let the client in before its time was up.
    NoSeed {
        /// The seeds.
        seeds: Vec<String>,
        /// What went wrong last.
        last: String,
    },
    /// A node refused the client for good.
    Rejected(Reject),
    /// The answer does not fit the request: the node is at fault.
    WrongAnswer,
    /// The client is closed.
    Closed,
    /// The operating system has no entropy.
    Entropy(getrandom::Error),
}

impl ClientError {
    /// Whether a write may have happened.
    pub fn outcome(&self) -> Outcome {
        match self {
            ClientError::Call(error) => error.outcome,
            // The task of the client went away with the call.
            ClientError::Closed | ClientError::WrongAnswer => Outcome::Unknown,
            ClientError::NoSeed { .. } | ClientError::Rejected(_) | ClientError::Entropy(_) => {
                Outcome::None
            }
        }
    }

    /// Whether the same call may succeed later, unchanged.
    pub fn retryable(&self) -> bool {
        match self {
            ClientError::Call(error) => error.retryable(),
            ClientError::NoSeed { .. } => true,
            ClientError::Rejected(_)
            | ClientError::WrongAnswer
            | ClientError::Closed
            | ClientError::Entropy(_) => false,
        }
    }

    /// The stable name of the error.
    pub fn code(&self) -> &'static str {
        match self {
            ClientError::Call(error) => error.code.as_str(),
            ClientError::NoSeed { .. } => ErrorCode::Unreachable.as_str(),
            ClientError::Rejected(_) => ErrorCode::Rejected.as_str(),
            ClientError::WrongAnswer => "WRONG_ANSWER",
            ClientError::Closed => ErrorCode::Closed.as_str(),
            ClientError::Entropy(_) => "ENTROPY",
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Call(error) => error.fmt(f),
            ClientError::NoSeed { seeds, last } if seeds.is_empty() => {
                write!(f, "there are no seeds: name at least one node ({last})")
            }
            ClientError::NoSeed { seeds, last } => {
                write!(f, "no node answers at {}: {last}", seeds.join(", "))
            }
            ClientError::Rejected(reject) => {
                write!(f, "the node refused the connection: {}", reject.text)
            }
            ClientError::WrongAnswer => f.write_str("a node answered another question"),
            ClientError::Closed => f.write_str("the client is closed"),
            ClientError::Entropy(error) => write!(f, "no random numbers: {error}"),
        }
    }
}

impl std::error::Error for ClientError {}
