//! Objects of JavaScript: records as objects, what is missing as null unless it is left out.

use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::prelude::{JsError, JsValue};

/// A value as an object.
pub(super) fn object(value: &(impl Serialize + ?Sized)) -> Result<JsValue, JsError> {
    let serializer =
        Serializer::new().serialize_maps_as_objects(true).serialize_missing_as_null(true);
    Ok(value.serialize(&serializer)?)
}
