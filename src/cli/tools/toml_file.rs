//! TOML files, as far as they are looked into here.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::CAP;
use crate::system::System;

/// A value, without its place in the file.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Text(String),
    Truth(bool),
    List(Vec<Self>),
    Table(Table),
    Other(String),
}

/// The values of a table, by their keys.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::cli) struct Table(Vec<(String, Value)>);

impl Table {
    fn value(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// A table in this one.
    pub(in crate::cli) fn table(&self, key: &str) -> Option<&Self> {
        match self.value(key)? {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The text of a key.
    pub(in crate::cli) fn text(&self, key: &str) -> Option<&str> {
        match self.value(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The truth of a key.
    pub(in crate::cli) fn truth(&self, key: &str) -> Option<bool> {
        match self.value(key)? {
            Value::Truth(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The tables in a list.
    pub(in crate::cli) fn tables(&self, key: &str) -> impl Iterator<Item = &Self> {
        self.list(key).filter_map(|value| match value {
            Value::Table(table) => Some(table),
            _ => None,
        })
    }

    /// The texts in a list.
    pub(in crate::cli) fn texts(&self, key: &str) -> impl Iterator<Item = &str> {
        self.list(key).filter_map(|value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    fn list(&self, key: &str) -> impl Iterator<Item = &Value> {
        match self.value(key) {
            Some(Value::List(values)) => values.as_slice(),
            _ => &[],
        }
        .iter()
    }

    /// Whether everything that another table says is said here too: lists may have grown at their ends.
    pub(in crate::cli) fn has_all_of(&self, other: &Self) -> bool {
        other.0.iter().all(|(key, value)| self.value(key).is_some_and(|here| here.has_all_of(value)))
    }
}

impl Value {
    fn has_all_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Table(here), Self::Table(there)) => here.has_all_of(there),
            (Self::List(here), Self::List(there)) => here.starts_with(there),
            (here, there) => here == there,
        }
    }
}

/// A file; `None` if it is not there, cannot be read, or is no TOML.
pub(in crate::cli) fn read(system: &dyn System, path: &Path) -> Option<Table> {
    let content = system.read_file(path, CAP).ok()?;
    parse(std::str::from_utf8(&content).ok()?)
}

/// A document; `None` if it is no TOML.
pub(in crate::cli) fn parse(text: &str) -> Option<Table> {
    Some(table(DeTable::parse(text).ok()?.get_ref()))
}

fn table(table: &DeTable<'_>) -> Table {
    Table(table.iter().map(|(key, value)| (key.get_ref().to_string(), simple(value.get_ref()))).collect())
}

fn simple(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Boolean(truth) => Value::Truth(*truth),
        DeValue::Array(values) => Value::List(values.iter().map(|value| simple(value.get_ref())).collect()),
        DeValue::Table(inner) => Value::Table(table(inner)),
        DeValue::Integer(number) => Value::Other(number.to_string()),
        DeValue::Float(number) => Value::Other(number.to_string()),
        DeValue::Datetime(moment) => Value::Other(moment.to_string()),
    }
}
