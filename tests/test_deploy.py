"""What is deployed: the image and the compose file hold to the rules of their kind."""

import subprocess
import sys
from pathlib import Path

from tests.support.run import ROOT

PROGRAMS = Path(sys.executable).parent


def _run(*arguments: str) -> str:
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_the_dockerfile_is_clean():
    assert _run(str(PROGRAMS / "hadolint"), "Dockerfile") == ""


def test_the_compose_file_is_of_the_schema():
    assert _run(str(PROGRAMS / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", "compose.yaml") == ""


def test_the_image_runs_as_nobody_on_a_read_only_disk_and_tells_its_health():
    image, compose = (ROOT / "Dockerfile").read_text(), (ROOT / "compose.yaml").read_text()
    assert "USER 10001:10001" in image
    assert "HEALTHCHECK" in image
    assert "read_only: true" in compose


def test_the_image_holds_every_file_the_service_imports():
    image = (ROOT / "Dockerfile").read_text()
    assert all(
        f"COPY {name}" in image or f" {name}" in image
        for name in ("app.py", "auth", "migrations", "config.py", "models.py")
    )
