"""A browser as a person uses it, by the DevTools protocol: open, read, click, type; and what it saw meanwhile."""

import json
import re
from itertools import count
from typing import Any

import websocket

from tests.support.chromium import Chromium
from tests.support.processes import Program, clean_environment, wait_until
from tests.support.run import Run

LISTENS = re.compile(r"DevTools listening on (ws://\S+)")
# Nothing but this machine has a name, and the browser does nothing of its own accord.
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-breakpad",
    "--no-first-run",
    "--no-default-browser-check",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
    "--remote-debugging-port=0",
    "about:blank",
)
DOMAINS = ("Page", "Runtime", "Network", "Log", "Audits")
GONE = ("Execution context was destroyed", "Cannot find context", "Inspected target navigated", "uniqueContextId")
SECONDS = 60
PLATFORM = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
# Where to click on an element: in the middle of its first line. Null as long as a click there would not reach it.
POINT = """
(selector) => {
  const found = document.querySelector(selector);
  if (!found || found.disabled) return null;
  found.scrollIntoView({ block: "center" });
  const [line] = found.getClientRects();
  if (!line) return null;
  const point = { x: line.x + line.width / 2, y: line.y + line.height / 2 };
  return found.contains(document.elementFromPoint(point.x, point.y)) ? point : null;
}
"""


class Refused(Exception):
    """The browser would not do it, or a script failed."""


class Browser:
    """One running browser. Every tab has cookies and storage of its own."""

    def __init__(self, run: Run, chromium: Chromium) -> None:
        folder = run.new_folder("chromium")
        self.program = Program(
            [chromium.program, *ARGUMENTS, f"--user-data-dir={folder / 'profile'}"],
            register=run.register,
            log=folder / "log",
            env={**clean_environment(HOME=folder), **chromium.environment},
            cwd=folder,
        )
        url = wait_until(lambda: LISTENS.search(self.program.log), "the browser listens", SECONDS)[1]
        self._socket = websocket.create_connection(url, timeout=SECONDS, suppress_origin=True)
        self._numbers = count(1)
        self._tabs: dict[str, Tab] = {}

    def tab(self, *languages: str) -> "Tab":
        """A tab of a person who reads these languages."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._tabs[session] = made = Tab(self, session, context)
        made.prepare(languages or ("en",))
        return made

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Have the browser do something; what it tells meanwhile goes to the tab that it is about."""
        number = next(self._numbers)
        request = {"id": number, "method": method, "params": parameters}
        self._socket.send(json.dumps({**request, "sessionId": session} if session else request))
        while (told := json.loads(self._socket.recv())).get("id") != number:
            if tab := self._tabs.get(told.get("sessionId", "")):
                tab.events.append((told["method"], told["params"]))
        if "error" in told:
            raise Refused(f"{method}: {told['error']['message']}")
        return told["result"]

    def close(self, context: str) -> None:
        """Close the tab that has these cookies, and forget them."""
        self.call("Target.disposeBrowserContext", browserContextId=context)

    def stop(self) -> None:
        """End the browser."""
        self._socket.close()
        self.program.stop()


class Tab:
    """A tab; `events` is everything that the browser has told about it."""

    def __init__(self, browser: Browser, session: str, context: str) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self._browser = browser
        self._session = session
        self._context = context

    def prepare(self, languages: tuple[str, ...]) -> None:
        """Have the browser tell what happens, and let pages know the person's languages."""
        for domain in DOMAINS:
            self.call(f"{domain}.enable")
        agent = self._browser.call("Browser.getVersion")["userAgent"]
        self.call("Emulation.setUserAgentOverride", userAgent=agent, acceptLanguage=",".join(languages))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Have the browser do something in this tab."""
        return self._browser.call(method, self._session, **parameters)

    def open(self, url: str) -> None:
        """Go to an address and wait until the page and its script are there."""
        went = self.call("Page.navigate", url=url)
        assert "errorText" not in went, went
        wait_until(
            lambda: self._try("document.readyState === 'complete' && location.href !== 'about:blank'"), url, SECONDS
        )

    def run(self, script: str) -> Any:
        """The value of an expression on the page, awaited; raises Refused when it throws."""
        told = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in told:
            thrown = told["exceptionDetails"]
            raise Refused(thrown.get("exception", {}).get("description", thrown["text"]))
        return told["result"].get("value")

    def wait(self, condition: str) -> Any:
        """Wait until an expression on the page is true, whatever page that is by then; its value."""
        try:
            return wait_until(lambda: self._try(condition), condition, SECONDS)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.address}\n{self.text}") from None

    def sees(self, text: str) -> None:
        """Wait until the person can read the text."""
        self.wait(f"document.body?.innerText.includes({json.dumps(text)})")

    def click(self, selector: str) -> None:
        """Click on the first element that the selector finds, once it is there, enabled, and not behind another."""
        point = self.wait(f"({POINT})({json.dumps(selector)})")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **point)

    def type(self, selector: str, text: str) -> None:
        """Click into a field, replace what it holds, and type."""
        self.click(selector)
        self.run("document.activeElement.select()")
        self.call("Input.insertText", text=text)

    def press(self, key: str, number: int, text: str = "", commands: tuple[str, ...] = ()) -> None:
        """Press a key, such as Enter or Tab."""
        code = {"key": key, "code": key, "windowsVirtualKeyCode": number}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, commands=list(commands), **code)
        self.call("Input.dispatchKeyEvent", type="keyUp", **code)

    def allow(self, *permissions: str, at: str) -> None:
        """Let the pages of an origin do what a person would be asked for."""
        self._browser.call(
            "Browser.grantPermissions", permissions=list(permissions), origin=at, browserContextId=self._context
        )

    def add_authenticator(self) -> None:
        """Give the person's device an authenticator for passkeys, which consents to everything."""
        self.call("WebAuthn.enable")
        self.call("WebAuthn.addVirtualAuthenticator", options=PLATFORM)

    def instead(self, script: str) -> None:
        """Run a script before those of every page that is opened from now on."""
        self.call("Page.addScriptToEvaluateOnNewDocument", source=script)

    def looks(self, *, width: int, scheme: str = "light") -> None:
        """Show pages in a window of this width, light or dark."""
        size = {"width": width, "height": 700, "deviceScaleFactor": 1, "mobile": width < 500}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def go_offline(self, offline: bool = True) -> None:
        """Lose the connection, or have it back."""
        self.call(
            "Network.emulateNetworkConditions", offline=offline, latency=0, downloadThroughput=-1, uploadThroughput=-1
        )

    @property
    def text(self) -> str:
        """What the person can read."""
        return self.run("document.body.innerText")

    @property
    def address(self) -> str:
        """What stands in the address bar."""
        return self.run("location.href")

    @property
    def requests(self) -> list[dict[str, Any]]:
        """Every request that a page of this tab has made."""
        self.run("1")
        return [told["request"] for name, told in self.events if name == "Network.requestWillBeSent"]

    @property
    def sent(self) -> list[dict[str, Any]]:
        """What has left the browser of every request: the part of an address after `#` stays in it."""
        return [{name: value for name, value in request.items() if name != "urlFragment"} for request in self.requests]

    @property
    def faults(self) -> list[Any]:
        """What broke the policy of a page, and scripts that failed."""
        self.run("1")
        issues = [told["issue"] for name, told in self.events if name == "Audits.issueAdded"]
        violations = [issue for issue in issues if issue["code"] == "ContentSecurityPolicyIssue"]
        logged = [told["entry"] for name, told in self.events if name == "Log.entryAdded"]
        insecure = [entry for entry in logged if entry["source"] in ("security", "violation")]
        failed = [told["exceptionDetails"] for name, told in self.events if name == "Runtime.exceptionThrown"]
        return [*violations, *insecure, *failed]

    def close(self) -> None:
        """Close the tab and forget its cookies."""
        self._browser.close(self._context)

    def _try(self, condition: str) -> Any:
        """The value of an expression; None while the page is being left."""
        try:
            return self.run(condition)
        except Refused as error:
            if any(words in str(error) for words in GONE):
                return None
            raise
