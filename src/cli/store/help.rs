//! What the commands of the store say of themselves. Each text has a line that begins with `Usage: `, and examples.

/// `ringbearer store --help`.
pub(in crate::cli) const STORE: &str = "\
The store: secrets encrypted in one file, which a signature of your ssh-agent unlocks.
`keyring set|get|del` writes, reads and removes single secrets; here is the rest.

Usage: ringbearer store COMMAND ...

Commands:
  init      make the store, with a key of your choice
  status    where it is, which key it has, what the agent says; what is wrong
  list      service and user name of every record
  rotate    new keys inside; whoever saw an old signature is locked out
  rekey     lock it with another ssh key
  export    write every record to a file, in the clear
  import    take records from such a file, or from another keyring
  lock      whether another process is writing

Options:
  -h, --help    this text; after a command, that command's

Exit codes:
  0 done   1 failed   2 wrong arguments   3 locked (the agent, its key, or a refusal)
  4 damaged   5 no store   6 another process has the lock

Examples:
  ringbearer store init
  keyring set example.com alice
  ringbearer store list
";

/// The help of one of the commands.
pub(in crate::cli) fn of(name: &str) -> Option<&'static str> {
    COMMANDS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The commands of the store, each with its help.
pub(in crate::cli) const COMMANDS: [(&str, &str); 8] = [
    (
        "init",
        "\
Makes the store. The first password that is set makes it too; here you choose the key.

Usage: ringbearer store init [--key PATH|COMMENT|FINGERPRINT] [--json]

The key must be ed25519 or RSA, and in your ssh-agent. Without --key it is the configured one, or the
first of the agent's that serves. The agent signs twice; a key added with `ssh-add -c` asks twice.

Examples:
  ringbearer store init
  ringbearer store init --key ~/.ssh/id_ed25519.pub
  ringbearer store init --key SHA256:fQrQTsdWT97t5YjasRBQyqV5g9/Fi6Bc1TEaF+V7SFM
",
    ),
    (
        "status",
        "\
Shows where the store is, its key, its records and permissions, what the agent holds, files that broken
writes left behind, and what deserves attention. Unlocks nothing.

Usage: ringbearer store status [--json]

Exit codes: 0 the agent has its key, 1 the settings name another key, 3 the agent lacks the key, 4 it is damaged,
5 there is none.

Examples:
  ringbearer store status
  ringbearer store status --json | jq .agent.has_key
",
    ),
    (
        "list",
        "\
Lists service and user name of every record. No password is shown; `keyring get SERVICE USER` does that.

Usage: ringbearer store list [--json]

Exit codes: 0 all were listed, 4 some do not open (they are counted), 5 there is no store.

Examples:
  ringbearer store list
  ringbearer store list --json | jq -r '.records[].service'
",
    ),
    (
        "rotate",
        "\
Encrypts every record anew, under new keys inside the store. Do it when somebody may have got a signature
of your agent or a copy of the unlocked store: neither opens what is written from then on. Old copies of the
file still open with what was got; change those passwords too.

Usage: ringbearer store rotate [--drop-broken] [--json]

  --drop-broken    let records go that do not open; without it they stop the rotation

The agent signs three times. Until the new file is whole, the old one stays in its place.

Examples:
  ringbearer store rotate
",
    ),
    (
        "rekey",
        "\
Locks the store with another ssh key: as `rotate`, but with the new key. Both keys must be in the agent.

Usage: ringbearer store rekey --key PATH|COMMENT|FINGERPRINT [--drop-broken] [--json]

  --drop-broken    let records go that do not open; without it they stop the change

Examples:
  ssh-add ~/.ssh/id_ed25519_new
  ringbearer store rekey --key ~/.ssh/id_ed25519_new.pub
",
    ),
    (
        "export",
        "\
Writes every record to a new file (JSON, readable by you alone), WITH ALL PASSWORDS IN THE CLEAR.

Usage: ringbearer store export FILE [--json]

An existing file is never overwritten. Records that do not open are counted, and the exit code is 4.

Examples:
  ringbearer store export /media/stick/passwords.json
",
    ),
    (
        "import",
        "\
Takes records from a file that `export` wrote, or from another keyring, all of them in one step.

Usage: ringbearer store import FILE | --from-keyring BACKEND [--name SERVICE USER]... [--replace] [--json]

  --from-keyring BACKEND    a backend as `keyring --list-backends` calls it
  --name SERVICE USER       take this record; needed where the other keyring cannot list what it holds
                            (keyrings.alt keeps user names in lower case, and so they come)
  --replace                 passwords that are there already get the new value; without it they stay

Examples:
  ringbearer store import passwords.json
  ringbearer store import --from-keyring keyrings.alt.file.PlaintextKeyring
  ringbearer store import --from-keyring keyring.backends.macOS.Keyring --name example.com alice
",
    ),
    (
        "lock",
        "\
Tells whether a process is writing to the store at this moment, and where the lock is. Nothing needs to be
removed after a crash: the operating system lets go of the lock of a process that ends.

Usage: ringbearer store lock [--json]

Exit codes: 0 it is free, 6 a process has it.

Examples:
  ringbearer store lock
",
    ),
];
