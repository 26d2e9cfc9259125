"""A real browser for tests: headless Chromium, driven by the DevTools protocol over two pipes.

A test asks for the fixture ``browser``:

    def test_page(browser, page_file):
        page = browser.open(page_file.as_uri(), width=1280, height=800)
        assert page.run("document.title") == "..."        # the value of an expression, as JSON has it
        page.wait_for("document.title !== \"\"")     # until an expression is true
        page.click("#button")                             # the middle of the first element that matches
        page.key("Escape")
        page.picture(tmp_path / "page.png")
        assert page.complaints == []                      # of the console, the policy, the network

open() waits until the page has loaded. dark=True, scripts=False and media="print" are as they say; a page has
a profile of its own. Everything ends with the test. A test that asks for it is skipped where there is no Chromium.
"""

import base64
import itertools
import json
import os
import select
import shutil
import struct
import subprocess
import time
import zlib

import pytest
from tango_servers import clean_environment, die_with_parent, wait_for

ANSWER_S = 60
KEYS = {
    "Escape": 27, "Enter": 13, "Tab": 9, "Home": 36, "End": 35, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39,
    "ArrowDown": 40,
}


class BrowserError(AssertionError):
    """The browser refused a command, or a script threw."""


class Browser:
    """One Chromium, with as many pages as one likes."""

    def __init__(self, folder):
        self.folder = folder
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        # Chromium reads commands from 3 and writes answers to 4.
        script = f'exec "$@" 3<&{to_browser} 4>&{from_browser} {to_browser}<&- {from_browser}>&-'
        self._log = (folder / "chromium.log").open("wb")
        self.process = subprocess.Popen(
            ["bash", "-c", script, "bash", "chromium", "--headless=new", "--no-sandbox", "--disable-gpu",
             "--remote-debugging-pipe", "--hide-scrollbars", "--no-first-run", "--disable-dev-shm-usage",
             "--disable-background-networking", "--disable-extensions", "--mute-audio", "--force-color-profile=srgb",
             f"--user-data-dir={folder / 'profile'}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, pass_fds=(to_browser, from_browser),
            env=clean_environment(HOME=str(folder)), preexec_fn=die_with_parent, cwd=str(folder),
        )
        os.close(to_browser)
        os.close(from_browser)
        self._numbers = itertools.count(1)
        self._buffer = b""
        self._answers = {}
        self._pages = {}

    def command(self, method, session=None, **parameters):
        """The result of a command of the protocol."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._out, data):]
        deadline = time.monotonic() + ANSWER_S
        while number not in self._answers:
            self._read(deadline - time.monotonic(), method)
        answer = self._answers.pop(number)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']}")
        return answer["result"]

    def take_events(self, seconds=0):
        """Read what has arrived."""
        while select.select([self._in], [], [], seconds)[0]:
            self._read(0, "an event")
            seconds = 0

    def _read(self, seconds, what):
        if not select.select([self._in], [], [], max(seconds, 0))[0]:
            raise BrowserError(f"Chromium didn't answer for {ANSWER_S} s: {what}")
        part = os.read(self._in, 1 << 20)
        if not part:
            raise BrowserError(f"Chromium ended: {(self.folder / 'chromium.log').read_text(errors='replace')}")
        self._buffer += part
        *messages, self._buffer = self._buffer.split(b"\0")
        for text in messages:
            message = json.loads(text)
            if "id" in message:
                self._answers[message["id"]] = message
            elif message.get("sessionId") in self._pages:
                self._pages[message["sessionId"]].take_event(message["method"], message["params"])

    def open(self, url, width=1280, height=900, dark=False, scripts=True, media="", headers=None):
        """A new :class:`Page` of that address; headers are sent with each of its requests."""
        context = self.command("Target.createBrowserContext")["browserContextId"]
        target = self.command("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self._pages[session] = Page(self, session, target)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.command(f"{domain}.enable")
        if headers:
            page.command("Network.setExtraHTTPHeaders", headers=headers)
        page.command("Security.setIgnoreCertificateErrors", ignore=True)
        page.command("Emulation.setScriptExecutionDisabled", value=not scripts)
        page.resize(width, height)
        page.show_as(dark=dark, media=media)
        page.go(url)
        return page

    def stop(self):
        """End it, with its pages."""
        for each in (self._out, self._in):
            os.close(each)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()


class Page:
    """One page; complaints is what its console had of warnings and errors, and what its policy blocked."""

    def __init__(self, browser, session, target):
        self.browser, self.session, self.target = browser, session, target
        self.complaints = []
        self._loads = 0

    def command(self, method, **parameters):
        return self.browser.command(method, self.session, **parameters)

    def take_event(self, method, parameters):
        if method == "Page.loadEventFired":
            self._loads += 1
        elif method == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            self.complaints.append(" ".join(str(each.get("value", each)) for each in parameters["args"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.complaints.append(parameters["entry"]["text"])

    def go(self, url):
        """Load that address, and wait until that is done."""
        loads = self._loads
        answer = self.command("Page.navigate", url=url)
        assert not answer.get("errorText"), f"{url}: {answer['errorText']}"
        deadline = time.monotonic() + ANSWER_S
        while self._loads == loads:
            assert time.monotonic() < deadline, f"{url} didn't load"
            self.browser.take_events(0.1)

    def resize(self, width, height):
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                     mobile=False)

    def show_as(self, dark=False, media=""):
        self.command("Emulation.setEmulatedMedia", media=media, features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def run(self, expression):
        """The value of an expression; a promise's, when it has one."""
        answer = self.command("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description") or details["text"])
        return answer["result"].get("value")

    def wait_for(self, expression, timeout=20):
        """Wait until an expression is true; returns its value."""
        last = [None]

        def fits():
            last[0] = self.run(expression)
            return last[0]

        wait_for(fits, timeout, expression, 0.05)
        return last[0]

    def texts(self, selector):
        """The text of each element that matches."""
        return self.run(f"Array.from(document.querySelectorAll({json.dumps(selector)}), e => e.textContent)")

    def place(self, selector, x=0.5, y=0.5):
        """Where a part of the first element that matches is in the window; it is scrolled there."""
        place = self.run(f"""(async () => {{
            const find = () => document.querySelector({json.dumps(selector)}); // a page may replace it meanwhile
            if (!find()) return null;
            find().scrollIntoView({{block: "center", behavior: "instant"}});
            for (let frame = 0; frame < 2; frame++) // then scripts know that it was scrolled
                await new Promise((done) => requestAnimationFrame(done));
            const r = find().getBoundingClientRect();
            return [r.left + r.width * {x}, r.top + r.height * {y}];
        }})()""")
        assert place, f"nothing is {selector}"
        return place

    def mouse(self, kind, x, y, **more):
        """kind: Moved, Pressed, Released, Wheel."""
        self.command("Input.dispatchMouseEvent", type=f"mouse{kind}", x=x, y=y, **more)

    def hover(self, selector, x=0.5, y=0.5):
        self.mouse("Moved", *self.place(selector, x, y))

    def click(self, selector, x=0.5, y=0.5, count=1):
        place = self.place(selector, x, y)
        self.mouse("Moved", *place)
        for number in range(1, count + 1):
            self.mouse("Pressed", *place, button="left", buttons=1, clickCount=number)
            self.mouse("Released", *place, button="left", clickCount=number)

    def drag(self, selector, from_x, to_x, y=0.5):
        """With the button held, across an element."""
        start, end = self.place(selector, from_x, y), self.place(selector, to_x, y)
        self.mouse("Moved", *start)
        self.mouse("Pressed", *start, button="left", buttons=1, clickCount=1)
        for part in (0.3, 0.6, 1):
            self.mouse("Moved", start[0] + (end[0] - start[0]) * part, start[1], button="left", buttons=1)
        self.mouse("Released", *end, button="left", clickCount=1)

    def key(self, name):
        """Press a key: a name of KEYS, or a character."""
        code = KEYS.get(name)
        more = {"windowsVirtualKeyCode": code} if code else {"text": name}
        if name == "Enter":
            more["text"] = "\r"
        self.command("Input.dispatchKeyEvent", type="keyDown", key=name, **more)
        self.command("Input.dispatchKeyEvent", type="keyUp", key=name, **more)

    def type(self, text):
        """Type into what has the focus."""
        self.command("Input.insertText", text=text)

    def picture(self, path, full=True):
        """A PNG of the window, or of the whole page."""
        answer = self.command("Page.captureScreenshot", format="png", captureBeyondViewport=full, **(
            {"clip": {"x": 0, "y": 0, "scale": 1, **self.size()}} if full else {}))
        path.write_bytes(base64.b64decode(answer["data"]))
        return path

    def pixels(self, selector):
        """Rows of (red, green, blue) of the first element that matches."""
        self.place(selector)
        box = self.run(f"""(() => {{
            const box = document.querySelector({json.dumps(selector)}).getBoundingClientRect();
            return [Math.ceil(box.left), Math.ceil(box.top), Math.floor(box.right), Math.floor(box.bottom)];
        }})()""")
        answer = self.command("Page.captureScreenshot", format="png")
        return [row[box[0]:box[2]] for row in read_png(base64.b64decode(answer["data"]))[box[1]:box[3]]]

    def size(self):
        """The width and height of all that can be scrolled to."""
        size = self.command("Page.getLayoutMetrics")["cssContentSize"]
        return {"width": size["width"], "height": size["height"]}

    def print_to(self, path):
        """A PDF."""
        path.write_bytes(base64.b64decode(self.command("Page.printToPDF", printBackground=True)["data"]))
        return path

    def close(self):
        self.browser.command("Target.closeTarget", targetId=self.target)


def read_png(data):
    """Rows of (red, green, blue), of a picture with eight bits of each."""
    chunks, at = {}, 8
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        chunks[kind] = chunks.get(kind, b"") + data[at + 8:at + 8 + size]
        at += size + 12
    width, height, bits, colour = struct.unpack_from(">IIBB", chunks[b"IHDR"])
    assert bits == 8 and colour in (2, 6)
    step = 3 if colour == 2 else 4
    raw = zlib.decompress(chunks[b"IDAT"])
    stride = step * width
    above, rows = bytearray(stride), []
    for y in range(height):
        kind = raw[y * (stride + 1)]
        line = bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for x in range(stride):
            left = line[x - step] if x >= step else 0
            up, corner = above[x], above[x - step] if x >= step else 0
            guess = left + up - corner
            nearest = min((left, up, corner), key=lambda each: abs(guess - each))  # of equal ones the first
            line[x] = (line[x] + (0, left, up, (left + up) // 2, nearest)[kind]) & 255
        rows.append([tuple(line[x:x + 3]) for x in range(0, stride, step)])
        above = line
    return rows


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """The browser of a run of tests: it takes seconds to start."""
    if not shutil.which("chromium"):
        pytest.skip("there is no chromium: scripts/setup browser installs it")
    running = Browser(tmp_path_factory.mktemp("browser"))
    yield running
    running.stop()


@pytest.fixture
def browser(chromium):
    """The same; the pages of a test are closed with it."""
    before = set(chromium._pages)
    yield chromium
    for session in set(chromium._pages) - before:
        chromium._pages.pop(session).close()
