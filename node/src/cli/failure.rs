//! How the program ends when it does not end well.

use std::fmt;
use std::process::ExitCode;

use quorate_core::message::Outcome;

use crate::client::ClientError;

/// A sentence for people and an exit code for scripts.
#[derive(Debug)]
pub(super) struct Failure {
    kind: Kind,
    text: String,
}

/// The exit codes, as `quorate --help` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Failed = 1,
    Usage = 2,
    Absent = 3,
    Unknown = 4,
    Conflict = 5,
}

impl Failure {
    pub(super) fn new(kind: Kind, text: impl fmt::Display) -> Failure {
        Failure { kind, text: text.to_string() }
    }

    /// Nothing happened.
    pub(super) fn failed(text: impl fmt::Display) -> Failure {
        Failure::new(Kind::Failed, text)
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind as u8)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        let kind = match error.outcome() {
            Outcome::None => Kind::Failed,
            Outcome::Unknown => Kind::Unknown,
        };
        Failure::new(kind, format_args!("{}: {error}", error.code()))
    }
}
