//! Plans of layouts for `tests/vectors/layout_changes.json`: the same bytes as natively.

use quorate_core::ids::NodeId;
use quorate_core::layout::{Layout, LayoutVersion, Member, PlanSettings, plan, plan_first};
use quorate_core::ring::SlotCount;
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::{JsError, JsValue, wasm_bindgen};

/// A layout as the vectors write it.
#[derive(Deserialize)]
struct LayoutVector {
    version: u32,
    replication: u8,
    members: Vec<MemberVector>,
    owners: Vec<u16>,
}

#[derive(Deserialize)]
struct MemberVector {
    id: String,
    label: String,
    zone: String,
    weight: u32,
}

/// What a plan says.
#[derive(Serialize)]
struct Planned {
    version: u32,
    owners: Vec<u16>,
    hash_hex: String,
}

/// The first layout of so many slots, with the members of a vector.
///
/// # Errors
/// What is no layout, and what core refuses to plan.
#[wasm_bindgen(js_name = planFirst)]
pub fn first(slots: u32, layout: JsValue) -> Result<JsValue, JsError> {
    let vector: LayoutVector = serde_wasm_bindgen::from_value(layout)?;
    let slots = SlotCount::new(slots).ok_or_else(|| JsError::new("no power of two"))?;
    let settings = PlanSettings { slots, replication: vector.replication };
    planned(&plan_first(settings, members(&vector)?)?)
}

/// The layout that follows `previous`, with the members of `next`, both of them vectors.
///
/// # Errors
/// What is no layout, and what core refuses to plan.
#[wasm_bindgen(js_name = planNext)]
pub fn next(previous: JsValue, next: JsValue) -> Result<JsValue, JsError> {
    let previous: LayoutVector = serde_wasm_bindgen::from_value(previous)?;
    let next: LayoutVector = serde_wasm_bindgen::from_value(next)?;
    let version = LayoutVersion(previous.version.into());
    let former = members(&previous)?;
    let former = Layout::from_parts(version, previous.replication, former, previous.owners)?;
    planned(&plan(&former, members(&next)?)?)
}

fn members(vector: &LayoutVector) -> Result<Vec<Member>, JsError> {
    let member = |member: &MemberVector| {
        let id: NodeId = member.id.parse()?;
        let (label, zone) = (member.label.as_str().into(), member.zone.as_str().into());
        Ok(Member { id, label, zone, weight: member.weight })
    };
    vector.members.iter().map(member).collect()
}

fn planned(layout: &Layout) -> Result<JsValue, JsError> {
    let planned = Planned {
        version: u32::try_from(layout.version().0)?,
        owners: layout.owners().to_vec(),
        hash_hex: format!("{:032x}", layout.hash()),
    };
    Ok(serde_wasm_bindgen::to_value(&planned)?)
}
