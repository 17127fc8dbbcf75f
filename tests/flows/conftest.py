"""Whatever a flow answers in its tests is held against the API document."""

import pytest

from tests.support import application
from tests.support.clients import Answer, InProcess
from tests.support.documented import Documented
from tests.support.run import Run


@pytest.fixture(scope="session")
def documented(run: Run) -> Documented:
    """The API document."""
    folder = run.new_folder("documented")
    app = application.build(f"sqlite:///{folder / 'unused.db'}", folder)
    made = Documented(app)
    application.close(app)
    return made


@pytest.fixture(autouse=True)
def _every_answer_is_as_documented(documented: Documented, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = InProcess.send

    def send(wire: InProcess, method: str, path: str, *rest: object) -> Answer:
        answer = plain(wire, method, path, *rest)
        documented.check(method, path, answer)
        return answer

    monkeypatch.setattr(InProcess, "send", send)
