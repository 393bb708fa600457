//! The pages of the documentation that are written from the source.

use std::{env, fmt::Write as _, fs, path::Path};

use crate::{
    cli,
    registry::ALL,
    store,
    variable::{COMMON, LOCATIONS, Role, Variable},
};

const NOTE: &str = "<!-- Written from the source: RINGBEARER_UPDATE_REFERENCE=1 cargo test reference -->\n";

#[test]
fn the_page_of_the_command_line_is_up_to_date() {
    check("docs/reference/cli.md", &format!("# Command line\n\n{NOTE}{}", cli::reference::page()));
}

#[test]
fn the_page_of_registries_is_up_to_date() {
    let mut page = format!("# Registries\n\n{NOTE}\n");
    page += "By priority: of several that claim a URL the first one is asked first, and no answer or a reported failure moves\non to the next.\n\n";
    page +=
        "| registry | an index URL | user name | class in `ringbearer.backends` | priority |\n|---|---|---|---|---|\n";
    for registry in ALL {
        writeln!(
            page,
            "| {} | `{}` | `{}` | `{}` | {} |",
            registry.title, registry.example, registry.username, registry.python_class, registry.priority
        )
        .unwrap();
    }
    check("docs/reference/registries.md", &page);
}

#[test]
fn the_page_of_environment_variables_is_up_to_date() {
    let mut page = format!("# Environment variables\n\n{NOTE}\n");
    page += "A variable with the role *login* decides which account answers: a change of it is another entry of the token cache.\n";
    for registry in ALL {
        table(&mut page, registry.title, registry.variables().filter(|variable| variable.role != Role::Location));
    }
    table(&mut page, "The store", store::VARIABLES.iter());
    table(&mut page, "Everything", COMMON.iter());
    table(&mut page, "Directories", LOCATIONS.iter());
    check("docs/reference/environment.md", &page);
}

fn table<'all>(page: &mut String, title: &str, variables: impl Iterator<Item = &'all Variable>) {
    write!(page, "\n## {title}\n\n| variable | role | meaning |\n|---|---|---|\n").unwrap();
    for Variable { name, role, meaning } in variables {
        let role = format!("{role:?}").to_lowercase();
        writeln!(page, "| `{name}` | {role} | {meaning} |").unwrap();
    }
}

/// Holds a page against what it should be, or writes it if RINGBEARER_UPDATE_REFERENCE is set.
#[expect(clippy::disallowed_methods, reason = "the page is a file of the project")]
fn check(page: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    if env::var_os("RINGBEARER_UPDATE_REFERENCE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, expected).unwrap();
    }
    let text = fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    assert!(text == expected, "{page} is stale: RINGBEARER_UPDATE_REFERENCE=1 cargo test reference");
}
