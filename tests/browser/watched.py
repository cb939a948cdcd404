"""A page that notes what must not happen on any page of ours."""

from __future__ import annotations

import functools
from importlib.resources import files
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Request, Response

WATCH = """
document.addEventListener("securitypolicyviolation", (event) => {
  window.noteReport(`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`);
});
"""
"""Runs before anything else in each document."""
SIDEWAYS = """() => {
  const root = document.documentElement;
  if (root.scrollWidth <= root.clientWidth) return [];
  const wide = [...document.querySelectorAll("body *")].filter(
    (one) => one.getBoundingClientRect().right > root.clientWidth + 0.5);
  return [`${root.scrollWidth} > ${root.clientWidth}`,
          ...wide.slice(0, 5).map((one) => one.outerHTML.slice(0, 120))];
}"""
RUN_AXE = """() => axe.run({resultTypes: ["violations"]}).then((found) => found.violations.flatMap(
  (one) => one.nodes.map((node) =>
    `${one.id}: ${node.target.join(" ")}: ${node.failureSummary.split("\\n").slice(1).join(" ")}`)))"""


@functools.cache
def load_axe() -> str:
    """Return the source of axe-core."""
    return files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


class Watched:
    """A page that notes console messages, policy reports, dialogs and requests to other places."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        """Open an empty page.

        Args:
            context: the browser profile; closed by the caller.
            origin: no request may go anywhere else.
        """
        self.context = context
        self.origin = origin
        self.problems: list[str] = []
        self.responses: list[Response] = []
        context.expose_binding("noteReport", lambda _, text: self.problems.append(f"policy: {text}"))
        context.add_init_script(WATCH)
        self.page = context.new_page()
        self.page.on("console", self._note_message)
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.on("dialog", self._note_dialog)
        self.page.on("request", self._note_request)
        self.page.on("response", lambda response: self.responses.append(response))
        self.page.on("popup", lambda page: self.problems.append(f"window: {page.url}"))

    def open(self, address: str) -> Response:
        """Go to an address of the site, and wait until it is loaded."""
        response = self.page.goto(address)
        assert response is not None
        return response

    def find_axe_violations(self) -> list[str]:
        """Return what axe-core finds on the page as it is now."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(load_axe())
        found: list[str] = self.page.evaluate(RUN_AXE)
        return found

    def find_sideways(self, width: int, height: int = 844) -> list[str]:
        """Return what makes a page of this width scroll sideways, in CSS pixels."""
        self.page.set_viewport_size({"width": width, "height": height})
        found: list[str] = self.page.evaluate(SIDEWAYS)
        return found

    def _note_message(self, message: ConsoleMessage) -> None:
        address = message.location["url"]
        is_status = message.text.startswith("Failed to load resource: the server responded")
        if is_status and (address == self.page.url or "/as/" in address):
            return  # the status of a page, or of a text that cannot be made: the reader is told
        self.problems.append(f"console: {message.text}")

    def _note_dialog(self, dialog: Dialog) -> None:
        self.problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _note_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        is_ours = f"{address.scheme}://{address.netloc}" == self.origin
        if not is_ours or address.path.endswith("/favicon.ico"):
            self.problems.append(f"request: {request.url}")
