//! Repairs that an operator asks for.

use super::{DecodeError, malformed, wire};
use crate::message::{CallId, RepairRefusal, RepairReply, RepairRequest};
use crate::ring::Slot;
use crate::time::UnixMs;
use wire::RepairRefusal as Code;
use wire::repair_reply::Result as Body;

pub(super) fn request_out(request: RepairRequest) -> wire::RepairRequest {
    wire::RepairRequest { call: request.call.0, slot: request.slot.map(|slot| slot.0) }
}

pub(super) fn request_in(request: wire::RepairRequest) -> RepairRequest {
    RepairRequest { call: CallId(request.call), slot: request.slot.map(Slot) }
}

pub(super) fn reply_out(reply: RepairReply) -> wire::RepairReply {
    let result = match reply.result {
        Ok(pairs) => Body::Pairs(pairs),
        Err(refusal) => Body::Refusal(refusal_out(refusal).into()),
    };
    wire::RepairReply { call: reply.call.0, now_ms: reply.now.0, result: Some(result) }
}

pub(super) fn reply_in(reply: wire::RepairReply) -> Result<RepairReply, DecodeError> {
    let result = match reply.result.ok_or(malformed("a repair without a result"))? {
        Body::Pairs(pairs) => Ok(pairs),
        Body::Refusal(refusal) => Err(refusal_in(refusal)),
    };
    Ok(RepairReply { call: CallId(reply.call), now: UnixMs(reply.now_ms), result })
}

fn refusal_out(refusal: RepairRefusal) -> Code {
    match refusal {
        RepairRefusal::NoLayout => Code::RepairNoLayout,
        RepairRefusal::NoSuchSlot => Code::RepairNoSuchSlot,
        RepairRefusal::NotAPrimary => Code::RepairNotAPrimary,
        RepairRefusal::Off => Code::RepairOff,
        RepairRefusal::Unrecognized => Code::RepairUnspecified,
    }
}

fn refusal_in(refusal: i32) -> RepairRefusal {
    // Whatever a later version says is a refusal all the same.
    match Code::try_from(refusal).unwrap_or(Code::RepairUnspecified) {
        Code::RepairNoLayout => RepairRefusal::NoLayout,
        Code::RepairNoSuchSlot => RepairRefusal::NoSuchSlot,
        Code::RepairNotAPrimary => RepairRefusal::NotAPrimary,
        Code::RepairOff => RepairRefusal::Off,
        Code::RepairUnspecified => RepairRefusal::Unrecognized,
    }
}
