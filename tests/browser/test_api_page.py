"""The page of the API (Swagger UI), with nothing from outside and under its own policy."""

import pytest

FIRST = "#operations-operations-healthz"


@pytest.fixture
def page(tab, site):
    tab.open(f"{site.url}/docs")
    tab.sees("/auth/login")
    return tab


def test_the_page_shows_every_route(page):
    shown = page.run("[...document.querySelectorAll('.opblock-summary-path')].map((path) => path.dataset.path)")
    documented = page.run("fetch('openapi.json').then((answer) => answer.json()).then((api) => Object.keys(api.paths))")
    assert set(shown) == set(documented)


def test_a_route_can_be_tried_on_the_page(page):
    page.click(f"{FIRST} .opblock-summary-control")
    page.click(f"{FIRST} .execute")
    page.sees('"status": "ok"')
