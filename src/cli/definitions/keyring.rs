//! The program `keyring`: the options and operations of keyring 25.7.
//! <https://github.com/jaraco/keyring/blob/v25.7.0/keyring/cli.py>

use super::{COMMAND, Count, Definition, OPTION, Operand, OptionDefinition, Value, free, optional, required};

/// How the help of the native `keyring` begins, by which `doctor` recognises it.
pub(in crate::cli) const NATIVE_KEYRING: &str = "Native `keyring` of ringbearer";

/// The native `keyring`.
pub(in crate::cli) static KEYRING: Definition = Definition {
    path: "keyring",
    about: "Native `keyring` of ringbearer: prints the credential for an index URL. Passes everything else on to the next \
            `keyring` on PATH or, if there is none, answers from ringbearer's store.",
    operands: &[
        Operand {
            value: Value { name: "OPERATION", choices: &["get", "set", "del", "diagnose"] },
            presence: super::Presence::Required,
        },
        optional(free("SERVICE")),
        USER,
    ],
    options: &[
        MODE,
        OUTPUT,
        BACKEND,
        OptionDefinition {
            long: "keyring-path",
            short: Some('p'),
            values: &[free("PATH")],
            help: "accepted for compatibility; for the next keyring only",
            ..OPTION
        },
        LIST_BACKENDS,
        OptionDefinition { long: "disable", help: "for the next keyring only: disable it", ..OPTION },
        OptionDefinition {
            long: "print-completion",
            values: &[free("SHELL")],
            help: "for the next keyring only: print its completions",
            ..OPTION
        },
    ],
    exit_codes: &[("0", "done"), ("1", "there is no credential, or the operation failed")],
    examples: &[
        "keyring get https://pkgs.dev.azure.com/ORG/_packaging/FEED/pypi/simple/ VssSessionToken",
        "keyring --mode=creds --output=json get https://libraries.cgr.dev/python/simple/",
        "keyring set example.com alice",
    ],
    ..COMMAND
};

pub(in crate::cli) const LIST_BACKENDS: OptionDefinition = OptionDefinition {
    long: "list-backends",
    help: "list the backends of ringbearer and of the next keyring",
    ..OPTION
};

const MODE: OptionDefinition = OptionDefinition {
    long: "mode",
    values: &[Value { name: "MODE", choices: &["password", "creds"] }],
    help: "print the password (the default; needs USER), or user name and password on a line each",
    ..OPTION
};

const OUTPUT: OptionDefinition = OptionDefinition {
    long: "output",
    values: &[Value { name: "FORMAT", choices: &["plain", "json"] }],
    help: "print plain text (the default), or one JSON object",
    ..OPTION
};

const BACKEND: OptionDefinition = OptionDefinition {
    long: "keyring-backend",
    short: Some('b'),
    values: &[free("CLASS")],
    count: Count::Optional,
    help: "ask this backend and no other",
};

/// What `get` takes in both programs.
pub(super) const GET_OPTIONS: &[OptionDefinition] = &[MODE, OUTPUT, BACKEND];

pub(super) const SERVICE: Operand = required(free("SERVICE"));
pub(super) const USER: Operand = optional(free("USER"));
