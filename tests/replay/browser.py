"""A headless Chromium, driven by chromedriver over plain HTTP (the W3C protocol): no library is needed."""
import base64
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time
import urllib.request

import pytest

CACHE = pathlib.Path(os.environ.get("WEIR_TEST_CACHE", pathlib.Path.home() / ".cache" / "weir-tests"))
AXE_VERSION = "4.10.3"


def axe_source():
    """axe-core's text, from a cache outside the repository; skips where it cannot be had."""
    path = CACHE / "node_modules" / "axe-core" / "axe.min.js"
    if not path.exists():
        if not shutil.which("npm"):
            pytest.skip("axe-core: npm is not here to fetch it")
        CACHE.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(CACHE), f"axe-core@{AXE_VERSION}"],
                              capture_output=True, timeout=120)
        if done.returncode or not path.exists():
            pytest.skip("axe-core: the package registry cannot be reached")
    return path.read_text()


class Browser:
    def __init__(self, directory):
        for program in ("chromium", "chromedriver"):
            if not shutil.which(program):
                pytest.skip(f"{program} is not here; contrib/test installs it")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        scratch = pathlib.Path(directory) / "tmp"  # both leave things behind, where they are told to
        scratch.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(["chromedriver", f"--port={self.port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        env={**os.environ, "TMPDIR": str(scratch)})
        self.base = f"http://127.0.0.1:{self.port}"
        for _ in range(100):
            try:
                self._call("GET", "/status")
                break
            except OSError:
                time.sleep(0.05)
        options = {"binary": shutil.which("chromium"), "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-renderer-backgrounding", f"--user-data-dir={directory}"]}
        answer = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "timeouts": {"script": 180000}, "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}})
        self.base += "/session/" + answer["sessionId"]

    def _call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=180) as answer:
            return json.load(answer)["value"]

    def cdp(self, command, **params):
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": params})

    def look(self, width, height=900, dark=False, media=""):
        """How the page is looked at: its width, in the dark, printed."""
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.cdp("Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def open(self, url):
        self._call("POST", "/url", {"url": str(url)})

    def run(self, script, *arguments):
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def axe(self):
        """Findings of axe-core: (rule, the element) each."""
        source = axe_source()
        self.cdp("Runtime.evaluate", expression=source)  # past the page's own policy
        found = self._call("POST", "/execute/async", {"args": [], "script":
            "const done = arguments[0]; axe.run().then(r => done(r.violations.flatMap(v => v.nodes.map(n => [v.id, n.html.slice(0, 200), n.failureSummary]))),"
            " e => done([['failed', String(e), '']]))"})
        return found

    def console(self):
        return [line for line in self._call("POST", "/se/log", {"type": "browser"}) if line["level"] in ("SEVERE", "WARNING")]

    def picture(self, path, whole=True):
        shot = self.cdp("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        pathlib.Path(path).write_bytes(base64.b64decode(shot["data"]))

    def close(self):
        try:
            self._call("DELETE", "")
        finally:
            self.process.terminate()
            self.process.wait()


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    driven = Browser(tmp_path_factory.mktemp("browser"))
    yield driven
    driven.close()


def keep(browser, name, *, widths=(390, 1024, 1600)):
    """Screenshots for a person, where WEIR_PICTURES names a directory."""
    directory = os.environ.get("WEIR_PICTURES")
    if not directory:
        return
    pathlib.Path(directory).mkdir(parents=True, exist_ok=True)
    for width in widths:
        for dark in (False, True):
            browser.look(width, dark=dark)
            browser.picture(pathlib.Path(directory) / f"{name}-{width}{'-dark' if dark else ''}.png")
    browser.look(1024, media="print")
    browser.picture(pathlib.Path(directory) / f"{name}-print.png")
