//! What the commands say of themselves. Each text has a line that begins with `Usage: `, and examples.

use super::store;

/// `ringbearer --help`.
pub(super) const PROGRAM: &str = "\
ringbearer: credentials for private package indexes, and a store for other secrets

Usage: ringbearer COMMAND ...

Commands:
  get            print the credential for an index URL, or a password of the store
  set            store a password
  del            remove a password from the store
  doctor         what answers an index URL, and why; how pip, uv, twine, Poetry and tox would ask
  cache          the tokens that are kept in this login session: list, clear
  token          print the token for an index URL, or write it to a file
  exec           run a command with a token in its environment
  setup          the lines for uv, pip, Poetry, tox or GitHub Actions that make them ask
  store          the store that your ssh-agent unlocks: init, status, list, rotate, ...
  completions    completion for bash, zsh or fish

Options:
  -h, --help       this text; after a command, that command's
  -V, --version    the version, and what it was built from

Examples:
  ringbearer doctor https://pkgs.dev.azure.com/ORG/_packaging/FEED/pypi/simple/
  ringbearer get https://libraries.cgr.dev/python/simple/ --mode creds
  ringbearer store status
";

/// `keyring --help`, of the native program.
pub(super) const KEYRING: &str = "\
keyring (ringbearer's, native): the credential for an index URL, straight away; everything else goes to the next `keyring` on
PATH or, where there is none, to ringbearer's store.

Usage: keyring [--mode password|creds] [--output plain|json] [-b BACKEND] get|set|del SERVICE [USER]

Operations:
  get SERVICE USER               print the password
  get SERVICE --mode creds       print user name and password, a line each
  set SERVICE USER               store a password, from a pipe or typed
  del SERVICE USER               remove a password

Options:
  --mode password|creds          what `get` prints (password)
  --output plain|json            how `get` prints it (plain)
  -b, --keyring-backend CLASS    the backend that must do it
  --list-backends                ringbearer's backends, and the next keyring's
  -h, --help                     this text

`diagnose`, `--disable` and `--print-completion` are the next keyring's.
Exit codes: 0 done, 1 no such credential or it failed, 2 wrong arguments.

Examples:
  keyring get https://pkgs.dev.azure.com/ORG/_packaging/FEED/pypi/simple/ VssSessionToken
  keyring --mode=creds --output=json get https://libraries.cgr.dev/python/simple/
";

/// The commands, each with its help, in the order in which they are listed.
pub(super) const COMMANDS: [(&str, &str); 10] = [
    (
        "get",
        "\
Prints the credential for an index URL or, for any other service, a password of the store. Words, output and exit codes
are those of `keyring get`, but no other keyring is asked.

Usage: ringbearer get SERVICE [USER] [--mode password|creds] [--output plain|json] [-b BACKEND]

  --mode password    print the password; SERVICE and USER are needed (the default)
  --mode creds       print user name and password, a line each; USER may be left out
  --output json      print one JSON object
  -b BACKEND         ask this backend of ringbearer's alone

Exit codes: 0 printed, 1 there is none or it failed, 2 wrong arguments.

Examples:
  ringbearer get https://pkgs.dev.azure.com/ORG/_packaging/FEED/pypi/simple/ --mode creds
  ringbearer get example.com alice
",
    ),
    (
        "set",
        "\
Stores a password: what comes through a pipe, without one line end at its end, or what you type.
The first one makes the store.

Usage: ringbearer set SERVICE USER

Exit codes: 0 stored and on the disk, 1 it failed, 2 wrong arguments.

Examples:
  ringbearer set example.com alice
  pass show example.com | ringbearer set example.com alice
",
    ),
    (
        "del",
        "\
Removes a password from the store.

Usage: ringbearer del SERVICE USER

Exit codes: 0 removed, 1 there was none or it failed, 2 wrong arguments.

Examples:
  ringbearer del example.com alice
",
    ),
    (
        "doctor",
        "\
Shows what answers an index URL, and why: every step as it happens, the account and the end of the token, what the
registry says to it; then whether pip, uv, twine, Poetry and tox would ask, and what to change if not.
Without a URL it takes those that pip and uv are set up with, for you and in this project. No token is shown.

Usage: ringbearer doctor [URL] [--json]

Exit codes: 0 there is a credential, 1 there is none, 2 wrong arguments.

Examples:
  ringbearer doctor
  ringbearer doctor https://pkgs.dev.azure.com/ORG/_packaging/FEED/pypi/simple/
  ringbearer doctor https://libraries.cgr.dev/python/simple/ --json
",
    ),
    (
        "cache",
        "\
Shows the tokens that are kept in this login session, or forgets them. On Linux they lie in the kernel's memory, until
shortly before their end, for the processes of this session alone; RINGBEARER_CACHE=off keeps none. No token is shown.

Usage: ringbearer cache list|clear [--json]

Exit codes: 0 done, 2 wrong arguments.

Examples:
  ringbearer cache list
  ringbearer cache clear
",
    ),
    (
        "token",
        "\
Prints the token (or password) for an index URL, and nothing else; or writes it to a file that you alone can read.

Usage: ringbearer token URL [--output-file FILE]

  --output-file FILE    write it there, without a line end; a file that is there is replaced

Exit codes: 0 done, 1 there is none or it failed, 2 wrong arguments.

Examples:
  ringbearer token https://pkgs.dev.azure.com/ORG/_packaging/FEED/pypi/simple/ --output-file token
  docker build --secret id=ado_token,src=token .
",
    ),
    (
        "exec",
        "\
Runs a command with a token in its environment, and ends as it ends. Without a URL, the one index is taken that pip or
uv is set up with. The command does not run if there is no token.

Usage: ringbearer exec [URL] [--variable NAME] -- COMMAND [ARGUMENT ...]

  --variable NAME    set this variable in place of the usual ones: for Azure ARTIFACTS_KEYRING_NOFUSS_TOKEN, for
                     Chainguard CHAINCTL_AUTH_TOKEN (or CHAINGUARD_PYTHON_IDENTITY_ID and CHAINGUARD_PYTHON_TOKEN), for
                     Menda CODEARTIFACT_AUTH_TOKEN

Exit codes: the command's; 1 there is no token, 2 wrong arguments, 126 it cannot be run, 127 there is no such command.

Examples:
  ringbearer exec https://pkgs.dev.azure.com/ORG/_packaging/FEED/pypi/simple/ -- docker compose up
  ringbearer exec https://libraries.cgr.dev/python/simple/ --variable UV_INDEX_CORP_PASSWORD -- uv sync
",
    ),
    (
        "setup",
        "\
Prints what makes a tool ask for an index URL, and where it goes; or shows the difference and writes it.

Usage: ringbearer setup uv|pip|poetry|tox|github-actions URL [--name NAME] [--file FILE] [--write]

  --name NAME    what the index is called (private)
  --file FILE    the file; without it pyproject.toml for uv and Poetry, your pip.conf, tox.ini, and
                 .github/workflows/private-index.yml
  --write        write the file, after showing what changes; what is there stays

Exit codes: 0 done, 1 the file cannot be changed by this program, 2 wrong arguments.

Examples:
  ringbearer setup uv https://pkgs.dev.azure.com/ORG/_packaging/FEED/pypi/simple/
  ringbearer setup pip https://libraries.cgr.dev/python/simple/ --write
",
    ),
    ("store", store::help::STORE),
    (
        "completions",
        "\
Prints the completion of `ringbearer` for a shell.

Usage: ringbearer completions bash|zsh|fish

Examples:
  ringbearer completions bash > ~/.local/share/bash-completion/completions/ringbearer
  ringbearer completions zsh > ~/.zfunc/_ringbearer
  ringbearer completions fish > ~/.config/fish/completions/ringbearer.fish
",
    ),
];
