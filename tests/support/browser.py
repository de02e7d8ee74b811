"""A browser without a window, driven through the WebDriver protocol (https://www.w3.org/TR/webdriver2/)."""

import base64
import json
import re
import subprocess
import time
from http.client import HTTPConnection
from shutil import which

CHROMIUM = which("chromium") or which("chromium-browser") or which("google-chrome")
DRIVER = which("chromedriver")
MISSING = None if CHROMIUM and DRIVER else "no browser: the page is driven in chromium with chromedriver"
_OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
# Nothing may leave this machine.
_OPTIONS.append("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost")


class Browser:
    """One window; use as a context manager."""

    def __init__(self, width=1400, height=1000):
        self._driver = subprocess.Popen(
            [DRIVER, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for line in self._driver.stdout:
            if found := re.search(r"successfully on port (\d+)", line):
                break
        self._port = int(found[1])
        options = {"binary": CHROMIUM, "args": [*_OPTIONS, f"--window-size={width},{height}"]}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self._session = ""
        made = self._send("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{made['sessionId']}"

    def _send(self, method, path, content=None):
        connection = HTTPConnection("127.0.0.1", self._port, timeout=120)
        body = None if content is None else json.dumps(content)
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())["value"]
        connection.close()
        if isinstance(answer, dict) and "error" in answer:
            raise RuntimeError(answer["message"])
        return answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self._send("DELETE", self._session)
        finally:
            self._driver.terminate()
            self._driver.wait()
            self._driver.stdout.close()

    def open(self, url):
        self._send("POST", f"{self._session}/url", {"url": url})

    def run(self, script, *arguments):
        """What a script returns; ``await`` is allowed."""
        script = (
            f"const done = arguments[arguments.length - 1]; const given = arguments; (async () => {{ {script} }})()"
        )
        script += ".then(done, (error) => done(`failed: ${error}`));"
        return self._send("POST", f"{self._session}/execute/async", {"script": script, "args": list(arguments)})

    def wait(self, script, seconds=60):
        """Wait until a script returns something true."""
        end = time.monotonic() + seconds
        while not (found := self.run(script)):
            assert time.monotonic() < end, f"waited {seconds} s for {script}"
            time.sleep(0.05)
        return found

    def mouse(self, *steps):
        """Moves and clicks: ``(x, y)``, ``"down"``, ``"up"``."""
        buttons = {"down": "pointerDown", "up": "pointerUp"}
        actions = [
            {"type": buttons[step], "button": 0}
            if isinstance(step, str)
            else {"type": "pointerMove", "x": round(step[0]), "y": round(step[1]), "duration": 0}
            for step in steps
        ]
        pointer = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": actions}
        self._send("POST", f"{self._session}/actions", {"actions": [pointer]})

    def wheel(self, x, y, delta):
        action = {"type": "scroll", "x": round(x), "y": round(y), "deltaX": 0, "deltaY": delta, "duration": 0}
        self._send("POST", f"{self._session}/actions", {"actions": [{"type": "wheel", "id": "w", "actions": [action]}]})

    def keys(self, *keys):
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._send("POST", f"{self._session}/actions", {"actions": [{"type": "key", "id": "k", "actions": actions}]})

    def resize(self, width, height):
        self._send("POST", f"{self._session}/window/rect", {"width": width, "height": height})

    def screenshot(self):
        return base64.b64decode(self._send("GET", f"{self._session}/screenshot"))

    def messages(self):
        """Errors of the page; hints about speed are not errors."""
        entries = self._send("POST", f"{self._session}/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]
