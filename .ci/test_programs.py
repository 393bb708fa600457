"""List the Debian packages of the programs that tests drive and that are not installed; nothing if all are.

python .ci/test_programs.py

Without them, these tests skip and name the reason.
"""

from __future__ import annotations

import os

#: The Debian package of each program.
PACKAGES = {
    "/usr/bin/chromium": "chromium",
    "/usr/bin/secret-tool": "libsecret-tools",
    "/usr/bin/gnome-keyring-daemon": "gnome-keyring",
    "/usr/bin/dbus-daemon": "dbus",
}

if __name__ == "__main__":
    print(*(package for path, package in PACKAGES.items() if not os.path.exists(path)))
