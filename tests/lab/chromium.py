"""A real browser: headless Chromium at the practice cloud, driven by the DevTools protocol over a pipe.

A test writes::

    with Chromium(cloud) as chromium:
        chromium.open(url)
        chromium.fill("#username", "ada@contoso.example")
        chromium.fill("#password", "lovelace")
        chromium.click("#sign-in")
        chromium.wait_for_text("You are signed in")

It reaches the practice cloud through the proxy, and loopback directly, as a person's browser does; nothing else.
https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import queue
import shutil
import signal
import tempfile
import threading
import time
from typing import TYPE_CHECKING

if os.name != "nt":
    import fcntl

if TYPE_CHECKING:
    from .cloud import PracticeCloud

#: Debian's package; the others are its names elsewhere.
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable")
#: Seconds to wait for a page; the machine may be busy.
PATIENCE = 30.0
_START_PATIENCE = 60.0
_POLL_INTERVAL = 0.05
_FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    "--window-size=900,700",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    # It asks its vendor's hosts for little.
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-sync",
    "--disable-features=OptimizationHints,MediaRouter,AutofillServerCommunication,CertificateTransparencyComponentUpdater",
    "--password-store=basic",
    # The rest bypasses the practice cloud, and finds no address.
    "--proxy-bypass-list=*.google.com;*.googleapis.com;*.gvt1.com",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1, EXCLUDE [::1]",
)


class CannotStart(Exception):
    """There is no Chromium here, or it does not run; the text is a reason to skip a test."""


def find() -> str:
    """The program."""
    if os.name == "nt":
        raise CannotStart("headless Chromium is driven over file descriptors, which Windows has not")
    found = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if found is None:
        raise CannotStart("chromium is not installed (Debian package chromium)")
    return found


class Chromium:
    """A browser with an empty profile and one tab. Every wait has a limit, and ends with an AssertionError."""

    def __init__(self, cloud: PracticeCloud) -> None:
        program = find()
        self._home = home = tempfile.mkdtemp(prefix="lab-chromium-")
        command = [
            program,
            *_FLAGS,
            f"--user-data-dir={home}/profile",
            f"--proxy-server={cloud.proxy.url_without_credentials}",
            # The certificates of the practice cloud have this key; all others are verified as ever.
            f"--ignore-certificate-errors-spki-list={cloud.authority.leaf_key_hash}",
            "about:blank",
        ]
        if os.geteuid() == 0:
            # Chromium's sandbox refuses root.
            command.insert(1, "--no-sandbox")
        environment = {
            "HOME": home,
            "PATH": "/usr/bin:/bin",
            "TMPDIR": home,
            "LANG": "C.UTF-8",
            "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent",
            "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent",
        }
        self._output = os.path.join(home, "output")
        self._pipe = _Pipe(command, environment, self._output)
        try:
            created = self._pipe.call("Target.createTarget", {"url": "about:blank"}, _START_PATIENCE)
            attach = {"targetId": created["targetId"], "flatten": True}
            self._session = self._pipe.call("Target.attachToTarget", attach)["sessionId"]
        except AssertionError as problem:
            output = self._read_output()
            self.close()
            raise CannotStart(f"{program} does not start: {problem}\n{output}") from None

    def open(self, url: str) -> None:
        """Go to an address, and wait for the page."""
        answer = self._call("Page.navigate", {"url": url})
        assert "errorText" not in answer, f"{url}: {answer['errorText']}"
        self.wait_for("document.readyState === 'complete'")

    def fill(self, selector: str, text: str) -> None:
        """Type into a field, replacing its content."""
        field = f"document.querySelector({json.dumps(selector)})"
        self.wait_for(f"{field} && ({field}.focus(), {field}.select(), document.activeElement === {field})")
        self._call("Input.insertText", {"text": text})

    def click(self, selector: str) -> None:
        """Press the mouse button on an element."""
        element = f"document.querySelector({json.dumps(selector)})"
        box = self.wait_for(
            f"{element} && (b => [b.x + b.width / 2, b.y + b.height / 2])({element}.getBoundingClientRect())"
        )
        for kind in ("mousePressed", "mouseReleased"):
            event = {"type": kind, "x": box[0], "y": box[1], "button": "left", "clickCount": 1}
            self._call("Input.dispatchMouseEvent", event)

    @property
    def url(self) -> str:
        """The address of the page."""
        return str(self.wait_for("location.href"))

    def text(self) -> str:
        """The text that the page shows."""
        return str(self.evaluate("document.body ? document.body.innerText : ''"))

    def wait_for_text(self, text: str, timeout: float = PATIENCE) -> str:
        """The text of the page, once it contains ``text``."""
        needle = json.dumps(text)
        try:
            return str(self.wait_for(f"document.body.innerText.includes({needle}) && document.body.innerText", timeout))
        except AssertionError:
            raise AssertionError(f"waited {timeout} s for {text!r}, {self.url} shows:\n{self.text()}") from None

    def wait_for(self, expression: str, timeout: float = PATIENCE) -> object:
        """The value of a JavaScript expression, once it is true. A page that is going away is waited for."""
        deadline = time.monotonic() + timeout
        while True:
            with contextlib.suppress(ProtocolError):
                value = self.evaluate(expression)
                if value:
                    return value
            assert time.monotonic() < deadline, f"waited {timeout} s for {expression}"
            time.sleep(_POLL_INTERVAL)

    def evaluate(self, expression: str) -> object:
        """The value of a JavaScript expression now."""
        answer = self._call("Runtime.evaluate", {"expression": expression, "returnByValue": True})
        if "exceptionDetails" in answer:
            raise ProtocolError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def screenshot(self, path: object) -> None:
        """Save what the window shows, as PNG."""
        picture = self._call("Page.captureScreenshot", {"format": "png"})["data"]
        with open(str(path), "wb") as stream:
            stream.write(base64.b64decode(picture))

    def close(self) -> None:
        """End the browser and remove its profile."""
        self._pipe.close()
        # Its children may still write for a moment.
        deadline = time.monotonic() + 5
        while os.path.exists(self._home) and time.monotonic() < deadline:
            shutil.rmtree(self._home, ignore_errors=True)

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _call(self, method: str, parameters: dict) -> dict:
        return self._pipe.call(method, parameters, session=self._session)

    def _read_output(self) -> str:
        with open(self._output, encoding="utf-8", errors="replace") as stream:
            return stream.read()[-2000:]


class ProtocolError(Exception):
    """An error answer of the DevTools protocol, for instance because the page has just changed."""


class _Pipe:
    """The browser's process, and messages over its file descriptors 3 and 4: JSON, each ended by a zero byte."""

    def __init__(self, command: list[str], environment: dict[str, str], output: str) -> None:
        commands_out, commands_in = (_above_four(end) for end in os.pipe())
        answers_out, answers_in = (_above_four(end) for end in os.pipe())
        with open(output, "wb") as log:
            actions = [
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, log.fileno(), 1),
                (os.POSIX_SPAWN_DUP2, log.fileno(), 2),
                (os.POSIX_SPAWN_DUP2, commands_out, 3),
                (os.POSIX_SPAWN_DUP2, answers_in, 4),
            ]
            # `subprocess` cannot place descriptors at 3 and 4. The process leads a group, which is killed whole.
            self._process = os.posix_spawn(command[0], command, environment, file_actions=actions, setpgroup=0)
        os.close(commands_out)
        os.close(answers_in)
        self._commands = commands_in
        self._answers = os.fdopen(answers_out, "rb", buffering=0)
        self._last_number = 0
        self._waiting: dict[int, queue.Queue[dict]] = {}
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, name="lab-chromium", daemon=True)
        self._reader.start()

    def call(self, method: str, parameters: dict, timeout: float = PATIENCE, session: str | None = None) -> dict:
        """The result of a command."""
        answers: queue.Queue[dict] = queue.Queue()
        with self._lock:
            self._last_number += 1
            number = self._last_number
            self._waiting[number] = answers
        message = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        try:
            os.write(self._commands, json.dumps(message).encode() + b"\0")
            answer = answers.get(timeout=timeout)
        except (queue.Empty, OSError):
            raise AssertionError(f"no answer to {method} within {timeout} s") from None
        finally:
            with self._lock:
                del self._waiting[number]
        if "error" in answer:
            raise ProtocolError(f"{method}: {answer['error'].get('message')}")
        return answer["result"]

    def close(self) -> None:
        """End the process and all of its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)
        self._reader.join(5)
        os.close(self._commands)
        self._answers.close()

    def _read(self) -> None:
        rest = b""
        while True:
            piece = self._answers.read(65536)
            if not piece:
                break
            *messages, rest = (rest + piece).split(b"\0")
            for message in messages:
                self._deliver(json.loads(message))
        gone = {"error": {"message": "the browser has ended"}}
        with self._lock:
            for waiting in self._waiting.values():
                waiting.put(gone)

    def _deliver(self, message: dict) -> None:
        # The others are events, which nobody asked for.
        with self._lock:
            waiting = self._waiting.get(message.get("id", 0))
        if waiting:
            waiting.put(message)


def _above_four(descriptor: int) -> int:
    """The same file with a number that the child's do not meet; it is not inherited."""
    if descriptor > 4:
        return descriptor
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 5)
    os.close(descriptor)
    return moved
