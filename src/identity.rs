//! Who a lookup is made for: the variables that decide it, as a digest for the key of a cache.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::{Context, SHA256};

use crate::sys::System;

/// A digest of every variable whose name begins with one of `prefixes`, and of `more`. A change of any of them
/// is another identity, and another identity must not get the first one's token. The values, secrets among
/// them, do not come out of it.
#[must_use]
pub fn digest(system: &dyn System, prefixes: &[&str], more: &[&[u8]]) -> String {
    let mut context = Context::new(&SHA256);
    for (name, value) in system.variables() {
        let name = name.as_encoded_bytes();
        if prefixes.iter().any(|prefix| name.starts_with(prefix.as_bytes())) {
            for part in [name, b"=", value.as_encoded_bytes(), b"\0"] {
                context.update(part);
            }
        }
    }
    for part in more {
        // With its length in front, no two lists read the same.
        context.update(&part.len().to_le_bytes());
        context.update(part);
    }
    URL_SAFE_NO_PAD.encode(context.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fake::Fake;

    #[test]
    fn another_value_of_a_variable_that_matters_is_another_identity() {
        let of = |name: &str, value: &str| digest(&Fake::default().variable(name, value), &["A_"], &[]);
        assert_ne!(of("A_TOKEN", "1"), of("A_TOKEN", "2"));
        assert_eq!(of("B_TOKEN", "1"), of("B_TOKEN", "2"));
    }

    #[test]
    fn where_one_part_ends_and_the_next_begins_matters() {
        let of = |more: &[&[u8]]| digest(&Fake::default(), &[], more);
        assert_ne!(of(&[b"ab", b"c"]), of(&[b"a", b"bc"]));
    }
}
