"""The examples of clients/python/README.md, run as they stand there, in Flask, FastAPI and Django."""

import asyncio
import re
import runpy
from pathlib import Path

import gatehouse_verify
import httpx
import pytest
from django.conf import settings
from django.test import Client, override_settings

README = (Path(gatehouse_verify.__file__).parents[1] / "README.md").read_text()
settings.configure(ALLOWED_HOSTS=["*"])


def by_flask(example, headers):
    answer = example["app"].test_client().get("/orders", headers=headers)
    return answer.status_code, answer.headers, answer.get_json(force=True)


def by_fastapi(example, headers):
    async def get():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(example["app"]), base_url="http://orders") as client:
            return await client.get("/orders", headers=headers)

    answer = asyncio.run(get())
    return answer.status_code, answer.headers, answer.json()


def by_django(example, headers):
    with override_settings(ROOT_URLCONF=tuple(example["urlpatterns"])):
        answer = Client(headers=headers).get("/orders")
    return answer.status_code, answer.headers, answer.json()


ASK = {"Flask": by_flask, "FastAPI": by_fastapi, "Django": by_django}


@pytest.fixture(params=ASK)
def ask(request, verifier, tmp_path):
    """Run the example of one framework with the twin's verifier, and send it a token."""
    code = re.search(rf"## {request.param}\n\n```python\n(.*?)```", README, re.DOTALL)[1]
    file = tmp_path / "example.py"
    file.write_text(code.replace('Verifier("https://auth.example.com")', "verifier"))
    example = runpy.run_path(str(file), {"verifier": verifier})

    def send(token):
        return ASK[request.param](example, {"Authorization": f"Bearer {token}"} if token else {})

    return send


def test_an_example_is_about_ten_lines():
    examples = re.findall(r"## \w+\n\n```python\n(.*?)```", README, re.DOTALL)
    assert [len([line for line in example.splitlines() if line]) <= 10 for example in examples] == [True] * 3


def test_a_good_token_reaches_the_view(twin, ask):
    status, _, body = ask(twin.token(sub="42"))
    assert (status, body) == (200, {"orders_of": "42"})


def test_without_a_token_the_answer_is_that_of_gatehouse(ask):
    status, headers, body = ask(None)
    assert (status, body["code"], body["message"]) == (401, "token_missing", "Missing Authorization Header")
    assert (headers["WWW-Authenticate"], headers["Content-Type"]) == ("Bearer", "application/problem+json")


def test_a_bad_token_is_answered_with_its_code(twin, ask):
    status, headers, body = ask(twin.token(exp=1))
    assert (status, body["status"], body["code"]) == (401, 401, "token_expired")
    assert headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_when_nothing_can_be_known_the_answer_is_unavailable(twin, ask, verifier):
    verifier.close()
    twin.away = True
    status, headers, body = ask(twin.token())
    assert (status, body["code"], headers["Retry-After"]) == (503, "unavailable", "5")
