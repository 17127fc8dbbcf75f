"""A real Chromium: the one that npm has as a package, or else the one of this machine, or else Debian's.

The packaged one is the same everywhere, needs no root, and brings the libraries and the font with it that a machine
without a desktop lacks. Where it does not run, such as on another kind of processor, any Chromium or Chrome will do.
"""

import os
import shutil
import subprocess
import tarfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support import node
from tests.support.run import ROOT, Run

HERE = ROOT / "tests" / "browser"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PARTS = {"al2023": "libraries", "fonts": "fonts", "swiftshader": "."}
# The package's own list of folders names places of another machine.
FONTS = '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig><dir>{}</dir></fontconfig>'


@dataclass(frozen=True)
class Chromium:
    """A program that runs here, and what it wants in its environment."""

    program: str
    environment: dict[str, str] = field(default_factory=dict)

    def runs(self) -> bool:
        """Whether it starts at all."""
        try:
            told = subprocess.run(
                [self.program, "--version"], env={**os.environ, **self.environment}, capture_output=True, timeout=60
            )
        except OSError:
            return False
        return told.returncode == 0


def find(run: Run) -> Chromium:
    """A Chromium that runs on this machine, looked for once in a run; raises RuntimeError when there is none."""
    return Chromium(**run.once("chromium", lambda: asdict(_find())))


def _find() -> Chromium:
    for way in (_packaged, _of_this_machine, _debians):
        chromium = way()
        if chromium is not None and chromium.runs():
            return chromium
    raise RuntimeError("no Chromium runs here: install one, so that `chromium` or `google-chrome` is found")


def _packaged() -> Chromium:
    folder = node.installed(HERE) / ".chromium"
    if not folder.exists():
        _unpack(HERE / "node_modules" / "@sparticuz" / "chromium" / "bin", folder)
    libraries, fonts = folder / "libraries" / "lib", folder / "fonts"
    return Chromium(str(folder / "chromium"), {"LD_LIBRARY_PATH": str(libraries), "FONTCONFIG_PATH": str(fonts)})


def _unpack(packed: Path, folder: Path) -> None:
    """Unpack beside the place where it belongs, so that it is there completely or not at all."""
    with TemporaryDirectory(dir=folder.parent, prefix=folder.name) as unfinished:
        made = Path(unfinished, "made")
        made.mkdir()
        names = {packed / f"{part}.tar.br": Path(unfinished, part) for part in PARTS}
        names[packed / "chromium.br"] = made / "chromium"
        done = node.run(HERE / "unpack.mjs", *(str(name) for pair in names.items() for name in pair))
        assert done.returncode == 0, done.stderr
        for part, place in PARTS.items():
            _extract(Path(unfinished, part), made / place)
        (made / "chromium").chmod(0o755)
        (made / "fonts" / "fonts.conf").write_text(FONTS.format(folder / "fonts"))
        made.rename(folder)


def _extract(file: Path, folder: Path) -> None:
    """Only the files of an archive, which is all there is in these, and what every version of Python does alike."""
    with tarfile.open(file) as archive:
        for member in filter(tarfile.TarInfo.isfile, archive):
            target = folder / member.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.extractfile(member).read())


def _of_this_machine() -> Chromium | None:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return Chromium(found) if found else None


def _debians() -> Chromium | None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return None
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
        subprocess.run(["apt-get", "-qq", *command], env=environment, check=True, stdin=subprocess.DEVNULL)
    return _of_this_machine()
