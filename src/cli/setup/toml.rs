//! Edits of a TOML file: lines are added, and existing lines stay as they are.

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use super::{Refusal, UNSUITABLE};
use crate::tools::toml_file::{tables, text};

/// An edit of one table below `[tool]`.
pub(super) struct TomlEdit<'all> {
    before: &'all str,
    document: DocumentMut,
    name: &'static str,
    is_changed: bool,
}

impl<'all> TomlEdit<'all> {
    /// Starts an edit of `[tool.NAME]`.
    pub(super) fn new(before: &'all str, name: &'static str) -> Result<Self, Refusal> {
        let document = before.parse().map_err(|_| "it is not valid TOML".to_owned())?;
        Ok(Self { before, document, name, is_changed: false })
    }

    /// Sets a key, unless it has this value.
    pub(super) fn set(&mut self, key: &str, wanted: &str) -> Result<(), Refusal> {
        let is_empty = self.before.is_empty();
        let table = self.table()?;
        match table.get(key).map(Item::as_str) {
            Some(Some(found)) if found == wanted => return Ok(()),
            Some(Some(found)) => return Err(format!("it has {key} = \"{found}\" already")),
            Some(None) => return Err(UNSUITABLE.to_owned()),
            None => {}
        }
        table.insert(key, value(wanted));
        if table.is_implicit() {
            table.set_implicit(false);
            table.decor_mut().set_prefix(if is_empty { "" } else { "\n" });
        }
        self.is_changed = true;
        Ok(())
    }

    /// Adds a table to an array of tables, unless one has the same URL. The name must be free.
    pub(super) fn add(&mut self, array: &str, entries: &[(&str, &str)]) -> Result<(), Refusal> {
        let wanted = |key: &str| entries.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
        let is_empty = self.before.is_empty() && !self.is_changed;
        let table = self.table()?;
        for existing in tables(table, array) {
            if text(existing, "url") == wanted("url") {
                return Ok(());
            }
            if text(existing, "name") == wanted("name") {
                let name = wanted("name").unwrap_or_default();
                return Err(format!("it has an index named {name} already; choose another with --name"));
            }
        }
        let item = table.entry(array).or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
        let array = item.as_array_of_tables_mut().ok_or(UNSUITABLE)?;
        let mut added: Table = entries.iter().map(|(key, text)| (*key, value(*text))).collect();
        added.decor_mut().set_prefix(if is_empty { "" } else { "\n" });
        array.push(added);
        self.is_changed = true;
        Ok(())
    }

    /// The new text, if it is valid and has every line of the old one.
    pub(super) fn finish(self) -> Result<String, Refusal> {
        if !self.is_changed {
            return Ok(self.before.to_owned());
        }
        let after = self.document.to_string();
        let mut lines = after.lines();
        let keeps_lines = self.before.lines().all(|line| lines.any(|found| found == line));
        let is_valid = after.parse::<DocumentMut>().is_ok();
        if keeps_lines && is_valid { Ok(after) } else { Err(UNSUITABLE.to_owned()) }
    }

    fn table(&mut self) -> Result<&mut Table, Refusal> {
        let mut table = self.document.as_table_mut();
        for key in ["tool", self.name] {
            let mut missing = Table::new();
            missing.set_implicit(true);
            table = table.entry(key).or_insert(Item::Table(missing)).as_table_mut().ok_or(UNSUITABLE)?;
        }
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(before: &str) -> Result<String, Refusal> {
        let mut edit = TomlEdit::new(before, "uv")?;
        edit.set("a", "1")?;
        edit.add("index", &[("name", "n"), ("url", "u")])?;
        edit.finish()
    }

    #[test]
    fn lines_are_added_and_the_others_kept() {
        let index = "\n[[tool.uv.index]]\nname = \"n\"\nurl = \"u\"\n";
        for (before, after) in [
            ("", format!("[tool.uv]\na = \"1\"\n{index}")),
            ("[tool.uv] # why\nb = 2\n# end", format!("[tool.uv] # why\nb = 2\na = \"1\"\n{index}# end")),
            ("[tool.uv]\n[x]\nb = 2", format!("[tool.uv]\na = \"1\"\n{index}[x]\nb = 2\n")),
            ("x = 1\n", format!("x = 1\n\n[tool.uv]\na = \"1\"\n{index}")),
            ("tool.uv.b = 2\n", format!("tool.uv.b = 2\ntool.uv.a = \"1\"\n{index}")),
        ] {
            assert_eq!(edited(before).as_deref(), Ok(after.as_str()), "{before}");
            assert_eq!(edited(&after).as_deref(), Ok(after.as_str()));
        }
    }

    #[test]
    fn a_file_of_another_form_is_refused() {
        for before in ["tool.uv = { b = 2 }\n", "[tool]\nuv = 1\n", "[tool.uv]\nindex = [{ name = \"x\" }]\n", "["] {
            assert!(edited(before).is_err(), "{before}");
        }
        assert!(edited("[tool.uv]\na = \"2\"\n").unwrap_err().contains("a = \"2\" already"));
    }
}
