"""The command line: ``ringbearer``, and ``python -m ringbearer``."""

import os
import sys

from ringbearer import _core


def main() -> int:
    """Runs the command line and returns its exit code, 130 after Ctrl-C."""
    for stream in (0, 1, 2):
        try:
            os.fstat(stream)
        except OSError:
            # A closed stream: the next file or connection would get its number, and the output.
            os.open(os.devnull, os.O_RDWR)
    if sys.argv[1:2] == ["exec"]:
        import signal

        # Python ignores SIGXFSZ, and the command would inherit that.
        if hasattr(signal, "SIGXFSZ"):
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        return _core.run_command_line([os.fsencode(argument) for argument in sys.argv[1:]])
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        # Imported late: the exceptions need keyring, which takes longer to load than most commands.
        from ringbearer.errors import RingbearerError

        if not isinstance(error, RingbearerError):
            raise
        print(f"ringbearer: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
