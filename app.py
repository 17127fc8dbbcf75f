"""The service, assembled top to bottom. `app` is built when it is first asked for; importing builds nothing."""

from collections.abc import Mapping
from typing import Any

from flask import Flask

from auth import (
    commands,
    database,
    docs,
    framework,
    hashing,
    headers,
    keys,
    limits,
    logs,
    parsing,
    provider,
    proxies,
    refusals,
    revocations,
    server,
    tokens,
)
from auth.connectors import post
from auth.flows import DEVELOPMENT, REGISTRY
from config import ROOT, Settings, load


def create_app(config: Mapping[str, Any] | Settings | None = None) -> Flask:
    """The service with the settings of the environment and `.env`, or with those of `config` alone.

    Raises config.SettingsError, naming every setting that is unknown, malformed or unsafe.
    """
    settings = load(config)
    app = framework.Gatehouse(
        "gatehouse", root_path=str(ROOT), instance_path=str(settings.instance_path.resolve()), static_folder=None
    )
    app.extensions["gatehouse.settings"] = settings
    app.json = provider.OrjsonProvider(app)
    logs.init_app(app, settings)
    database.init_app(app, settings)
    hashing.init_app(app, settings)
    keys.init_app(app)
    tokens.init_app(app, settings)
    revocations.init_app(app)
    post.init_app(app, settings)
    limits.init_app(app, settings)
    parsing.init_app(app, settings)
    refusals.init_app(app, settings)
    headers.init_app(app, settings)
    proxies.init_app(app, settings)
    for blueprint in (*REGISTRY, *(() if settings.production else DEVELOPMENT)):
        app.register_blueprint(blueprint)
    commands.init_app(app)
    docs.init_app(app)
    return app


def __getattr__(name: str) -> Flask:
    if name not in ("app", server.PREPARED):
        raise AttributeError(name)
    globals()[name] = built = create_app()
    server.begin(built, prepared=name == server.PREPARED)
    return built


if __name__ == "__main__":
    chosen = load()
    server.run(create_app(chosen), chosen)
