"""Headless Chromium, driven over its DevTools protocol through a pipe: no port, no driver, nothing fetched."""
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

DEADLINE = 60  # seconds for an answer; a machine that is busy is no reason to fail


class Browser:
    """`with Browser() as browser:` gives a page to open documents in."""

    def __init__(self, *arguments):
        self._profile = tempfile.mkdtemp(prefix="rehearse-chromium.")
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        # Chromium reads commands from descriptor 3 and answers on 4; they are moved there by a shell, for they may be each other's now.
        command = ["/usr/bin/chromium", "--headless=new", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu",
                   "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
                   "--user-data-dir=" + self._profile, *arguments]
        if os.geteuid() == 0:
            command.append("--no-sandbox")  # it refuses to run as root with one
        move = f'exec 8<&{to_browser} 9>&{from_browser}; exec 3<&8 4>&9 8<&- 9>&-; exec "$@"'
        self._process = subprocess.Popen(["/bin/bash", "-c", move, "bash", *command], pass_fds=(to_browser, from_browser),
                                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self._buffer = b""
        self._last = 0
        self._session = None
        self.events = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(domain + ".enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self._session = None
            self.call("Browser.close")
        except (OSError, RuntimeError):
            pass
        for descriptor in (self._in, self._out):
            os.close(descriptor)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._profile, ignore_errors=True)

    def call(self, method, **parameters):
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        return self._until(lambda answer: answer.get("id") == message["id"])

    def _until(self, wanted):
        until = time.monotonic() + DEADLINE
        while True:
            while b"\0" not in self._buffer:
                if not select.select([self._in], [], [], max(0, until - time.monotonic()))[0]:
                    raise RuntimeError("chromium does not answer")
                chunk = os.read(self._in, 1 << 20)
                if not chunk:
                    raise RuntimeError("chromium ended")
                self._buffer += chunk
            raw, self._buffer = self._buffer.split(b"\0", 1)
            message = json.loads(raw)
            if "method" in message:
                self.events.append(message)
            if wanted(message):
                if "error" in message:
                    raise RuntimeError(message["error"]["message"])
                return message.get("result", message)

    def open(self, url):
        """Opens a document and waits until it has loaded; what happened meanwhile stands in `events`."""
        self.events = []
        self.call("Page.navigate", url=url)
        if not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self._until(lambda message: message.get("method") == "Page.loadEventFired")

    def run(self, script):
        """The value of an expression in the page; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True, userGesture=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def look(self, width=1280, height=900, dark=False, media="screen"):
        """How wide the page is, and what it is shown on."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", media=media,
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def script(self, allowed):
        """Whether pages may run script from now on."""
        self.call("Emulation.setScriptExecutionDisabled", value=not allowed)

    def press(self, key):
        for kind in ("keyDown", "keyUp"):
            text = {"text": key} if len(key) == 1 and kind == "keyDown" else {}
            code = {"Tab": 9, "Enter": 13, "Escape": 27}.get(key, 0)
            if key == "Enter" and kind == "keyDown":
                text = {"text": "\r"}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **text)

    def picture(self, path, height=None):
        """A PNG of what is seen, or of the page down to `height`."""
        area = {}
        if height:
            width = self.run("innerWidth")
            area = {"clip": {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}, "captureBeyondViewport": True}
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("Page.captureScreenshot", format="png", **area)["data"]))

    def errors(self):
        """What the page complained of: exceptions, refused loads, violations of its own policy."""
        said = []
        for event in self.events:
            if event["method"] == "Runtime.exceptionThrown":
                said.append(event["params"]["exceptionDetails"]["text"] + " " +
                            event["params"]["exceptionDetails"].get("exception", {}).get("description", ""))
            if event["method"] == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
                said.append(event["params"]["entry"]["text"])
        return said

    def requests(self):
        """What the page asked for besides itself."""
        return [event["params"]["request"]["url"] for event in self.events if event["method"] == "Network.requestWillBeSent"
                and event["params"].get("type") != "Document"]
