//! Settings in TOML files.

use std::path::Path;

use toml_edit::{DocumentMut, Item, TableLike, Value};

use super::CAP;
use crate::system::System;

/// The top-level table of a file; `None` if the file cannot be read or is not TOML.
pub(crate) fn read(system: &dyn System, path: &Path) -> Option<Item> {
    let content = system.read_file(path, CAP).ok()?;
    Some(std::str::from_utf8(&content).ok()?.parse::<DocumentMut>().ok()?.into_item())
}

/// A string in a table.
pub(crate) fn text<'all>(table: &'all dyn TableLike, key: &str) -> Option<&'all str> {
    table.get(key)?.as_str()
}

/// The tables of an array, whether inline or under headers of their own.
pub(crate) fn tables<'all>(table: &'all dyn TableLike, key: &str) -> Vec<&'all dyn TableLike> {
    match table.get(key) {
        Some(Item::ArrayOfTables(tables)) => tables.iter().map(|table| table as &dyn TableLike).collect(),
        array => array
            .and_then(Item::as_array)
            .into_iter()
            .flatten()
            .filter_map(|value| value.as_inline_table().map(|table| table as &dyn TableLike))
            .collect(),
    }
}

/// The strings of an array.
pub(crate) fn texts<'all>(table: &'all dyn TableLike, key: &str) -> impl Iterator<Item = &'all str> {
    table.get(key).and_then(Item::as_array).into_iter().flatten().filter_map(Value::as_str)
}
