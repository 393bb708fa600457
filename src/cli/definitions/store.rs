//! `ringbearer store`.

use super::{COMMAND, Count, Definition, JSON, OPTION, Operand, OptionDefinition, Presence, free, required};

pub(super) const STORE: Definition = Definition {
    path: "ringbearer store",
    summary: "manage the store that the ssh-agent unlocks",
    about: "Manages the store: secrets encrypted in one file, which a signature by the ssh-agent unlocks. Single secrets \
            are read and written by `keyring get`, `keyring set` and `keyring del`.",
    commands: &[INIT, STATUS, LIST, ROTATE, REKEY, EXPORT, IMPORT, LOCK],
    exit_codes: EXIT_CODES,
    examples: &["ringbearer store init", "keyring set example.com alice", "ringbearer store list"],
    ..COMMAND
};

const EXIT_CODES: &[(&str, &str)] = &[
    ("0", "done"),
    ("1", "the command failed"),
    ("3", "the store is locked: no ssh-agent, its key not in the agent, or the signature refused"),
    ("4", "the store is damaged, or some of its records cannot be decrypted"),
    ("5", "there is no store"),
];

const KEY: OptionDefinition =
    OptionDefinition { long: "key", values: &[free("PATH|COMMENT|FINGERPRINT")], help: "the ssh key to use", ..OPTION };

const DROP_BROKEN: OptionDefinition = OptionDefinition {
    long: "drop-broken",
    help: "drop records that cannot be decrypted; without it, they stop the command",
    ..OPTION
};

const FROM_KEYRING: OptionDefinition = OptionDefinition {
    long: "from-keyring",
    values: &[free("BACKEND")],
    help: "import from this backend, named as in `keyring --list-backends`",
    ..OPTION
};

const FILE: Operand = required(free("FILE"));

const INIT: Definition = Definition {
    path: "ringbearer store init",
    summary: "create the store, with a key of your choice",
    about: "Creates the store. The first stored password would create it too; this command lets you choose the key.\n\
            The key must be ed25519 or RSA, and in the ssh-agent. Without --key it is the configured key, or the first \
            suitable key in the agent. The agent signs twice; a key added with `ssh-add -c` asks twice.",
    options: &[KEY, JSON],
    exit_codes: EXIT_CODES,
    examples: &[
        "ringbearer store init",
        "ringbearer store init --key ~/.ssh/id_ed25519.pub",
        "ringbearer store init --key SHA256:fQrQTsdWT97t5YjasRBQyqV5g9/Fi6Bc1TEaF+V7SFM",
    ],
    ..COMMAND
};

const STATUS: Definition = Definition {
    path: "ringbearer store status",
    summary: "show its location, its key, the state of the agent, and problems",
    about: "Shows the location of the store, its key, records and permissions, the keys in the ssh-agent, files left \
            behind by interrupted writes, and problems. Does not unlock the store.",
    options: &[JSON],
    exit_codes: &[
        ("0", "the agent has the key"),
        ("1", "the settings name another key"),
        ("3", "the agent does not have the key"),
        ("4", "the store is damaged"),
        ("5", "there is no store"),
    ],
    examples: &["ringbearer store status", "ringbearer store status --json | jq .agent.has_key"],
    ..COMMAND
};

const LIST: Definition = Definition {
    path: "ringbearer store list",
    summary: "list service and user name of every record",
    about: "Lists service and user name of every record. Passwords are not shown; `keyring get SERVICE USER` prints one.",
    options: &[JSON],
    exit_codes: EXIT_CODES,
    examples: &["ringbearer store list", "ringbearer store list --json | jq -r '.records[].service'"],
    ..COMMAND
};

const ROTATE: Definition = Definition {
    path: "ringbearer store rotate",
    summary: "encrypt every record again under new keys, which an old signature does not unlock",
    about: "Encrypts every record again under new keys. Use it when somebody may have a signature of your agent or a copy \
            of the unlocked store: neither decrypts what is written from then on. Old copies of the file can still be \
            decrypted; change those passwords too.\n\
            The agent signs three times. The old file stays in place until the new one is complete.",
    options: &[DROP_BROKEN, JSON],
    exit_codes: EXIT_CODES,
    examples: &["ringbearer store rotate"],
    ..COMMAND
};

const REKEY: Definition = Definition {
    path: "ringbearer store rekey",
    summary: "lock the store with another ssh key",
    about: "Locks the store with another ssh key; otherwise as `rotate`. Both keys must be in the agent.",
    options: &[OptionDefinition { count: Count::Required, ..KEY }, DROP_BROKEN, JSON],
    exit_codes: EXIT_CODES,
    examples: &["ssh-add ~/.ssh/id_ed25519_new", "ringbearer store rekey --key ~/.ssh/id_ed25519_new.pub"],
    ..COMMAND
};

const EXPORT: Definition = Definition {
    path: "ringbearer store export",
    summary: "write every record to a file, unencrypted",
    about: "Writes every record to a new JSON file that only its owner can read. ALL PASSWORDS IN IT ARE UNENCRYPTED.\n\
            An existing file is not overwritten.",
    operands: &[FILE],
    options: &[JSON],
    exit_codes: EXIT_CODES,
    examples: &["ringbearer store export /media/stick/passwords.json"],
    ..COMMAND
};

const IMPORT: Definition = Definition {
    path: "ringbearer store import",
    summary: "add records from such a file, or from another keyring",
    about: "Adds the records of a file written by `export`, or of another keyring, all in one step.",
    operands: &[Operand { presence: Presence::Or(FROM_KEYRING.long), ..FILE }],
    options: &[
        FROM_KEYRING,
        OptionDefinition {
            long: "name",
            values: &[free("SERVICE"), free("USER")],
            count: Count::Repeated,
            help: "import this record; needed if the other keyring cannot list its records (keyrings.alt stores user \
                   names in lower case, and they are imported as such)",
            ..OPTION
        },
        OptionDefinition { long: "replace", help: "replace existing passwords; without it, they are kept", ..OPTION },
        JSON,
    ],
    exit_codes: EXIT_CODES,
    examples: &[
        "ringbearer store import passwords.json",
        "ringbearer store import --from-keyring keyrings.alt.file.PlaintextKeyring",
        "ringbearer store import --from-keyring keyring.backends.macOS.Keyring --name example.com alice",
    ],
    ..COMMAND
};

const LOCK: Definition = Definition {
    path: "ringbearer store lock",
    summary: "show whether another process is writing",
    about: "Shows whether a process is writing to the store, and the path of the lock file. Nothing needs to be removed \
            after a crash: the operating system releases the lock of a process that ends.",
    options: &[JSON],
    exit_codes: &[("0", "the lock is free"), ("6", "a process has the lock")],
    examples: &["ringbearer store lock"],
    ..COMMAND
};
