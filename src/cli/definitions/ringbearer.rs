//! The program `ringbearer`.

use super::{
    COMMAND, Definition, JSON, OPTION, OptionDefinition, URL, Value, free, keyring, optional, required, store::STORE,
};

/// `ringbearer`.
pub(in crate::cli) static RINGBEARER: Definition = Definition {
    path: "ringbearer",
    about: "Credentials for private package indexes, and a store for other secrets.",
    commands: &[GET, SET, DEL, LOGIN, LOGOUT, DOCTOR, CACHE, TOKEN, EXEC, SETUP, STORE, COMPLETIONS],
    options: &[OptionDefinition {
        long: "version",
        short: Some('V'),
        help: "print the version and what it was built from",
        ..OPTION
    }],
    examples: &[
        "ringbearer doctor https://pkgs.dev.azure.com/ORG/_packaging/FEED/pypi/simple/",
        "ringbearer get https://libraries.cgr.dev/python/simple/ --mode creds",
        "ringbearer store status",
    ],
    ..COMMAND
};

const GET: Definition = Definition {
    path: "ringbearer get",
    summary: "print the credential for an index URL, or a password from the store",
    about: "Prints the credential for an index URL or, for any other service, a password from the store. Arguments, \
            output and exit codes are those of `keyring get`, but no other keyring is asked.",
    operands: &[keyring::SERVICE, keyring::USER],
    options: keyring::GET_OPTIONS,
    exit_codes: &[("0", "the credential was printed"), ("1", "there is no credential, or the command failed")],
    examples: &[
        "ringbearer get https://pkgs.dev.azure.com/ORG/_packaging/FEED/pypi/simple/ --mode creds",
        "ringbearer get example.com alice",
    ],
    ..COMMAND
};

const SET: Definition = Definition {
    path: "ringbearer set",
    summary: "store a password",
    about: "Stores a password: the text on standard input without one trailing line feed or, at a terminal, what is \
            typed. The first password creates the store.",
    operands: &[keyring::SERVICE, required(free("USER"))],
    exit_codes: &[("0", "the password is on disk"), ("1", "the command failed")],
    examples: &["ringbearer set example.com alice", "pass show example.com | ringbearer set example.com alice"],
    ..COMMAND
};

const DEL: Definition = Definition {
    path: "ringbearer del",
    summary: "delete a password from the store",
    about: "Deletes a password from the store.",
    operands: &[keyring::SERVICE, required(free("USER"))],
    exit_codes: &[("0", "the password was deleted"), ("1", "there is no such password, or the command failed")],
    examples: &["ringbearer del example.com alice"],
    synonyms: &["delete", "remove", "rm"],
    ..COMMAND
};

const LOGIN: Definition = Definition {
    path: "ringbearer login",
    summary: "sign in for an index with a browser or a device code, or list the logins",
    about: "Signs in to the registry of an index URL with a browser or, where there is none, a code to enter in a browser \
            on any machine. The login is kept for later lookups: in ringbearer's store, the desktop's keyring or the memory of \
            this login session (RINGBEARER_LOGIN_STORE), never in a file that is not encrypted.\n\
            Without a URL, signs in for the first such index in the settings of uv, pip, pixi and Poetry, both the user's \
            and this project's, and says which one. RINGBEARER_TIMEOUT limits the time (default: 960 seconds).\n\
            With --json, each step is an object on a line of its own, by its \"event\": \"browser\" has url, port and \
            opened; \"code\" has url, code and expires_in (seconds); \"signed-in\" has account, organisations, kept_in and \
            life. With --list, it is an array of accounts.",
    operands: &[optional(URL)],
    options: &[
        OptionDefinition { long: "browser", help: "sign in with a browser on this machine", ..OPTION },
        OptionDefinition { long: "device-code", help: "show a code to enter in a browser on any machine", ..OPTION },
        OptionDefinition {
            long: "tenant",
            values: &[free("TENANT")],
            help: "sign in to TENANT instead of that of the index",
            ..OPTION
        },
        OptionDefinition {
            long: "account",
            values: &[free("NAME")],
            help: "sign in as NAME, such as ada@contoso.example",
            ..OPTION
        },
        OptionDefinition {
            long: "fresh",
            help: "ask for the password again, also where the browser is signed in",
            ..OPTION
        },
        OptionDefinition { long: "list", help: "list the logins instead: account, place and lifetime", ..OPTION },
        JSON,
    ],
    exit_codes: &[("0", "signed in, or listed"), ("1", "the sign-in failed"), LOCKED, ("130", "cancelled by Ctrl-C")],
    examples: &[
        "ringbearer login https://pkgs.dev.azure.com/ORG/_packaging/FEED/pypi/simple/",
        "ringbearer login --device-code --account ada@contoso.example",
        "ringbearer login --list",
    ],
    synonyms: &["signin", "sign-in"],
    ..COMMAND
};

const LOGOUT: Definition = Definition {
    path: "ringbearer logout",
    summary: "forget the logins of `ringbearer login`",
    about: "Forgets the logins of `ringbearer login`, or that of one account, and removes the cached tokens of their registry \
            from this login session, even if no login is kept. Tokens that were handed out before, and logins of other programs, are not affected.",
    options: &[OptionDefinition {
        long: "account",
        values: &[free("NAME")],
        help: "forget the login of NAME only",
        ..OPTION
    }],
    exit_codes: &[
        ("0", "done, or nobody was signed in"),
        ("1", "the command failed"),
        LOCKED,
        ("5", "there is no login of NAME"),
    ],
    examples: &["ringbearer logout", "ringbearer logout --account ada@contoso.example"],
    synonyms: &["signout", "sign-out"],
    ..COMMAND
};

/// The exit code of commands that read or write a login in the store.
const LOCKED: (&str, &str) =
    ("3", "the store is locked: no ssh-agent, its key not in the agent, or the signature refused");

const DOCTOR: Definition = Definition {
    path: "ringbearer doctor",
    summary: "show who answers for an index URL and why, and how the tools here would ask",
    about: "Shows which backend answers for an index URL and why: each step as it happens, the account and expiry of the \
            token, and the registry's response to it. Then shows whether pip, uv, twine, Poetry and tox would ask, and \
            what to change if not. Tokens are not shown.\n\
            Without a URL, examines the indexes in the settings of pip, uv and pixi, both the user's and this project's.",
    operands: &[optional(URL)],
    options: &[JSON],
    exit_codes: &[("0", "there is a credential"), ("1", "there is none")],
    examples: &[
        "ringbearer doctor",
        "ringbearer doctor https://pkgs.dev.azure.com/ORG/_packaging/FEED/pypi/simple/",
        "ringbearer doctor https://libraries.cgr.dev/python/simple/ --json",
    ],
    synonyms: &["diagnose", "check", "status"],
    ..COMMAND
};

const CACHE: Definition = Definition {
    path: "ringbearer cache",
    summary: "list or clear the tokens cached in this login session",
    about: "Lists or clears the tokens cached in this login session. They are in kernel memory on Linux and in Credential \
            Manager on Windows, readable by the processes of this session only, until shortly before they expire. macOS \
            has no such cache. RINGBEARER_CACHE=off disables the cache.",
    commands: &[
        Definition {
            path: "ringbearer cache list",
            summary: "list the cached tokens",
            about: "Lists the cached tokens: registry, account, age and remaining time. The tokens themselves are not \
                    shown.",
            options: &[JSON],
            exit_codes: &[("0", "done"), ("1", "the command failed")],
            examples: &["ringbearer cache list", "ringbearer cache list --json"],
            ..COMMAND
        },
        Definition {
            path: "ringbearer cache clear",
            summary: "remove the cached tokens",
            about: "Removes the cached tokens, and what is known of organisations. The next command signs in again.",
            exit_codes: &[("0", "done"), ("1", "the command failed")],
            examples: &["ringbearer cache clear"],
            ..COMMAND
        },
    ],
    examples: &["ringbearer cache list", "ringbearer cache clear"],
    ..COMMAND
};

const TOKEN: Definition = Definition {
    path: "ringbearer token",
    summary: "print the token for an index URL, or write it to a file",
    about: "Prints the token (or password) for an index URL, or writes it to a file that only its owner can read.",
    operands: &[required(URL)],
    options: &[OptionDefinition {
        long: "output-file",
        values: &[free("FILE")],
        help: "write the token to FILE, without a line feed; replaces an existing file",
        ..OPTION
    }],
    exit_codes: &[("0", "done"), ("1", "there is no credential, or the command failed")],
    examples: &[
        "ringbearer token https://pkgs.dev.azure.com/ORG/_packaging/FEED/pypi/simple/ --output-file token",
        "docker build --secret id=ado_token,src=token .",
    ],
    synonyms: &["mint-token"],
    ..COMMAND
};

const EXEC: Definition = Definition {
    path: "ringbearer exec",
    summary: "run a command with a token in its environment",
    about: "Runs a command with a token in the environment variables of the registry. Without a URL, uses the one index \
            in the user's settings of pip and uv. If there is no token, the command does not run.",
    operands: &[optional(URL)],
    options: &[OptionDefinition {
        long: "variable",
        values: &[free("NAME")],
        help: "set the variable NAME instead",
        ..OPTION
    }],
    command_line: "COMMAND [ARGUMENT ...]",
    lists_variables: true,
    exit_codes: &[
        ("1", "there is no token"),
        ("126", "the command cannot be run"),
        ("127", "the command was not found"),
        ("other", "the exit code of the command"),
    ],
    examples: &[
        "ringbearer exec https://pkgs.dev.azure.com/ORG/_packaging/FEED/pypi/simple/ -- docker compose up",
        "ringbearer exec https://libraries.cgr.dev/python/simple/ --variable UV_INDEX_CORP_PASSWORD -- uv sync",
    ],
    ..COMMAND
};

const SETUP: Definition = Definition {
    path: "ringbearer setup",
    summary: "print or write the settings with which uv, pip, Poetry, tox or GitHub Actions ask for an index",
    about: "Prints the settings with which a tool asks for the credential of an index URL, and the file they belong in; \
            with --write, shows the difference and writes it.",
    operands: &[
        required(Value { name: "TOOL", choices: &["uv", "pip", "poetry", "tox", "github-actions"] }),
        required(URL),
    ],
    options: &[
        OptionDefinition {
            long: "name",
            values: &[free("NAME")],
            help: "the name of the index in the settings (default: private)",
            ..OPTION
        },
        OptionDefinition {
            long: "file",
            values: &[free("FILE")],
            help: "the settings file (default: pyproject.toml for uv and Poetry, the user's pip.conf or pip.ini, tox.ini, \
                   .github/workflows/private-index.yml)",
            ..OPTION
        },
        OptionDefinition { long: "write", help: "write the file; existing lines are kept", ..OPTION },
    ],
    exit_codes: &[("0", "done"), ("1", "the file cannot be changed by this command")],
    examples: &[
        "ringbearer setup uv https://pkgs.dev.azure.com/ORG/_packaging/FEED/pypi/simple/",
        "ringbearer setup pip https://libraries.cgr.dev/python/simple/ --write",
    ],
    ..COMMAND
};

const COMPLETIONS: Definition = Definition {
    path: "ringbearer completions",
    summary: "print shell completions",
    about: "Prints the completions of `ringbearer` for a shell. PowerShell keeps them if the line of the example is in \
            $PROFILE.",
    operands: &[required(Value { name: "SHELL", choices: &["bash", "zsh", "fish", "powershell"] })],
    exit_codes: &[("0", "done")],
    examples: &[
        "ringbearer completions bash > ~/.local/share/bash-completion/completions/ringbearer",
        "ringbearer completions zsh > ~/.zfunc/_ringbearer",
        "ringbearer completions fish > ~/.config/fish/completions/ringbearer.fish",
        "ringbearer completions powershell | Out-String | Invoke-Expression",
    ],
    ..COMMAND
};
