"""What a request costs its reader and the database: functions and files of ours entered, and statements sent.

A reader follows a request from its view down: the flow, the gate, and what they call of accounts, passwords, keys and
events. This has the budget. The door in front of every view and the ground under everything are the same for every
route and read once; in other programs they are the web framework and the database toolkit. They are counted by
themselves and held, so that they do not grow unseen.

`pytest tests/test_costs.py -s` prints every figure, and what was entered.
"""

import sys

import pytest

DOOR = (
    "app.py", "auth/answers.py", "auth/endpoint.py", "auth/framework.py", "auth/headers.py", "auth/limits/rates.py",
    "auth/logs.py", "auth/metrics.py", "auth/parsing.py", "auth/proxies.py", "auth/refusals.py", "auth/transport.py",
)  # fmt: skip
GROUND = (
    "auth/crypto.py", "auth/database.py", "auth/embedded.py", "auth/fields.py", "auth/outages.py", "auth/patience.py",
    "config.py", "models.py",
)  # fmt: skip

CALLS = {
    "login": lambda client: client.login("ada"),
    "refresh": lambda client: client.refresh(),
    "protected": lambda client: client.get("/auth/protected"),
    "me": lambda client: client.get("/auth/me"),
}
# Functions and files of the story, functions of all, statements: at most. A look at the revocations is counted in.
BUDGETS = {
    "login": (25, 12, 105, 4),
    "refresh": (15, 8, 85, 3),
    "protected": (15, 8, 45, 1),
    "me": (14, 7, 55, 2),
}


@pytest.fixture
def measure(client, entered, statements):
    """Measures a call after it has been made once, so that what is made for the first request is there."""
    client.signed_in("ada")

    def measured(call):
        assert call(client).status == 200
        with statements() as seen, entered() as ours:
            assert call(client).status == 200
        return ours.functions, seen

    return measured


def file_of(function):
    return function.partition(":")[0]


@pytest.mark.parametrize("name", CALLS)
def test_a_call_stays_within_its_budget(measure, name):
    functions, seen = measure(CALLS[name])
    story = {function for function in functions if file_of(function) not in DOOR + GROUND}
    figures = len(story), len(set(map(file_of, story))), len(functions), len(seen)
    of_all = len(functions), len(set(map(file_of, functions)))
    shown = f"{name}: story {figures[:2]}, with door and ground {of_all}, statements {len(seen)}"
    sys.stdout.write("\n    ".join([shown, *sorted(story), *sorted(functions - story), *seen, "\n"]))
    assert all(figure <= most for figure, most in zip(figures, BUDGETS[name], strict=True)), figures
