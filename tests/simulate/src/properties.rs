//! The table of what must hold.

use quorate_sim::invariants;
use serde_json::{Value, json};

use crate::output::print_line;

/// Prints what must hold and where it is promised, for people or as JSON.
pub(crate) fn print_table(is_json: bool) {
    let table = invariants::table();
    if is_json {
        let rows = table.iter().map(|property| {
            json!({
                "name": property.name,
                "definition": property.definition,
                "source": property.source,
            })
        });
        return print_line(rows.collect::<Value>());
    }
    for property in table {
        let (name, definition, source) = (property.name, property.definition, property.source);
        print_line(format_args!("{name}\n  {definition}\n  {source}"));
    }
}
