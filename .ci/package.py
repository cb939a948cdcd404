"""Build sdist and wheel, look into them, and use the wheel in an empty environment."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
USE = """
import flask, flask_tracking
from flask_tracking import MemoryExporter, Tracking
app = flask.Flask("shop")
app.config["TRACKING_WORKER"] = "sync"
app.add_url_rule("/", "index", lambda: "hello")
memory = MemoryExporter()
Tracking(app, exporter=memory)
assert app.test_client().get("/").text == "hello"
assert [record.path for record in memory.records] == ["/"], memory.records
assert "site-packages" in flask_tracking.__file__, flask_tracking.__file__
"""


def main() -> None:
    """Build and try; ends with a message when something is wrong."""
    with tempfile.TemporaryDirectory(prefix="flask-tracking-") as temporary:
        built = Path(temporary)
        print("Building sdist and wheel ...", flush=True)
        for part in ("wheel", "sdist"):
            command = [sys.executable, "-c", BUILD.format(part=part, target=str(built))]
            subprocess.run(command, cwd=ROOT, check=True)
        (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
        check_contents(wheel, sdist)
        print("Using the wheel in an empty environment ...", flush=True)
        venv.create(built / "venv", with_pip=True)
        python = str(built / "venv" / "bin" / "python")
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, str(wheel)], check=True)
        subprocess.run([python, "-W", "error", "-c", USE], cwd=built, check=True)
        print(f"{wheel.name} and {sdist.name} are fit to be published.")


BUILD = "from flit_core import buildapi; buildapi.build_{part}({target!r})"


def check_contents(wheel: Path, sdist: Path) -> None:
    """Make sure that the wheel has the package alone, and the sdist all that tests it."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    strangers = [name for name in names if not name.startswith(("flask_tracking", "flask_tracking-"))]
    if strangers or "flask_tracking/py.typed" not in names:
        sys.exit(f"The wheel has what it should not, or lacks py.typed: {strangers}")
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    missing = {"LICENSE", "README.md", "CHANGELOG.md", "Makefile", "tests/conftest.py"} - inside
    if missing:
        sys.exit(f"The sdist lacks {sorted(missing)}")


if __name__ == "__main__":
    main()
