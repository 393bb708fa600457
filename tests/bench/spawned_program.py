"""Runs one command as its parent and prints its time or memory; see `bench.spawned`.

``python spawned_program.py time|memory DIRECTORY WORD...``: milliseconds, or KiB. The command's stderr is
shown if it fails.
"""

import os
import sys
import time

NOWHERE = [(os.POSIX_SPAWN_OPEN, place, os.devnull, os.O_RDWR, 0) for place in (0, 1)]
#: This process becomes the parent of orphaned descendants (prctl, PR_SET_CHILD_SUBREAPER).
ADOPT = 36


def main(what, directory, *words):
    """Run the command in the directory. Returns its exit code."""
    os.chdir(directory)
    said = os.memfd_create("stderr")
    actions = [*NOWHERE, (os.POSIX_SPAWN_DUP2, said, 2)]
    code, figure = {"time": milliseconds, "memory": kibibytes}[what](words, actions)
    print(figure)
    if code:
        os.lseek(said, 0, os.SEEK_SET)
        sys.stderr.write(os.read(said, 65536).decode("utf-8", "replace"))
    return code


def milliseconds(words, actions):
    """Wall time, from the start of the process to its exit."""
    start = time.perf_counter()
    child = os.posix_spawn(words[0], words, os.environ, file_actions=actions)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), (time.perf_counter() - start) * 1000


def kibibytes(words, actions):
    """Peak memory of the process.

    Linux counts the memory that the parent held at the fork. So a small shell starts it.
    """
    import ctypes

    assert ctypes.CDLL(None).prctl(ADOPT, 1, 0, 0, 0) == 0
    shell = os.posix_spawn("/bin/sh", ["sh", "-c", '"$@" &', "sh", *words], os.environ, file_actions=actions)
    while True:
        child, status, usage = os.wait4(-1, 0)
        if child != shell:
            return os.waitstatus_to_exitcode(status), usage.ru_maxrss


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
