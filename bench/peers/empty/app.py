"""The floor: what the web framework and the server cost when a route does nothing."""

from flask import Flask

app = Flask(__name__)


@app.get("/empty")
def empty() -> str:
    return "{}"
