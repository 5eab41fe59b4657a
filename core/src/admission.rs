//! What a request must fulfil before anybody works on it.

use crate::config::NodeConfig;
use crate::message::{Change, Failure, FailureCode};
use crate::pass_on::Request;
use crate::quorum::Quorum;

/// Checks time, sizes and the quorum; answers the quorum with its defaults filled in.
pub(crate) fn check(config: &NodeConfig, request: &Request) -> Result<Quorum, Failure> {
    let limits = &config.limits;
    if request.head().budget.is_zero() {
        return Err(Failure::refused(FailureCode::Timeout));
    }
    let key_bytes = request.head().key.as_bytes().len();
    if key_bytes == 0 || key_bytes > limits.key_bytes_max {
        return Err(too_long(FailureCode::KeySize, limits.key_bytes_max, key_bytes));
    }
    if let Request::Put(put) = request
        && put.context.len() > limits.context_bytes_max
    {
        let bytes = put.context.len();
        return Err(too_long(FailureCode::BadContext, limits.context_bytes_max, bytes));
    }
    if let Request::Put(put) = request
        && let Change::Value { payload, .. } = &put.change
        && payload.len() > limits.value_bytes_max
    {
        return Err(too_long(FailureCode::ValueTooLarge, limits.value_bytes_max, payload.len()));
    }
    config.quorum(request.head().quorum)
}

fn too_long(code: FailureCode, max: usize, bytes: usize) -> Failure {
    Failure::refused(code).limit(max as u64, bytes as u64)
}
