"""Every setting of the service: its type, its default, and why it exists.

Values come from the environment and from `.env`; a test or an embedding program passes a dict instead. A setting that
is unknown, malformed or unsafe stops the start, and one message names all of them.
"""

import os
import secrets
from collections.abc import Mapping
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from flask import current_app
from pydantic import Field, ModelWrapValidatorHandler, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from auth import guessable

ROOT = Path(__file__).resolve().parent
MAIL_SCHEMES = ("smtp", "smtps", "file", "memory")
LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (nothing listens here)

Origins = Annotated[tuple[str, ...], NoDecode]


class SettingsError(ValueError):
    """The service must not start with these settings; the message names every one that is wrong."""


def own_url(given: dict[str, Any]) -> str:
    """Where a service that listens on `host` and `port` is found from its own machine."""
    host = LOOPBACK.get(given["host"], given["host"])
    return f"http://[{host}]:{given['port']}" if ":" in host else f"http://{host}:{given['port']}"


class Settings(BaseSettings):
    """The settings in force. Names are those of the environment, in lower case."""

    model_config = SettingsConfigDict(env_file=ROOT / ".env", extra="forbid", frozen=True, env_ignore_empty=True)

    app_env: Literal["development", "production"] = Field(
        "development", description="`production` refuses to start on any unsafe value"
    )
    host: str = Field("127.0.0.1", description="address the server listens on")
    port: int = Field(8000, ge=0, le=65535, description="port the server listens on")
    workers: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        le=64,
        description="server processes; one for each core by default",
    )
    threads: int = Field(
        128, ge=8, le=1024, description="request threads of one worker; a waiting password hash holds one"
    )
    instance_path: Path = Field(ROOT / "instance", description="folder of the embedded database and development files")
    database_url: str = Field(
        "", description="SQLite in `instance/site.db` when empty; `postgresql://...` for more than one machine"
    )
    redis_url: str = Field("", description="shared rate limits for more than one machine")
    secret_key: str = Field(
        "", description="root of every derived key, at least 32 bytes; made on the first development start"
    )
    secret_key_fallbacks: Origins = Field(
        (), description="earlier secret keys, separated by commas: they still decrypt and verify, never sign"
    )
    public_url: str = Field(
        default_factory=own_url,
        description="issuer of the tokens, never taken from a request; where HOST and PORT are when empty",
    )
    frontend_url: str = Field(
        default_factory=own_url, description="where links in mail point; where HOST and PORT are when empty"
    )
    jwt_algorithm: Literal["EdDSA", "ES256", "RS256", "HS256"] = Field(
        "EdDSA", description="algorithm of new signing keys; HS256 cannot be verified by other services"
    )
    jwt_audience: str = Field("gatehouse", min_length=1, description="`aud` of every token")
    access_token_seconds: int = Field(900, ge=10, le=86400, description="lifetime of an access token")
    refresh_token_seconds: int = Field(2592000, ge=60, description="absolute lifetime of a session")
    session_idle_seconds: int = Field(1209600, ge=60, description="a session unused for this long has ended")
    refresh_grace_seconds: int = Field(
        10, ge=0, le=300, description="a second tab gets the same successor for so long; 0: exactly once"
    )
    fresh_minutes: int = Field(10, ge=1, le=1440, description="how long a proof counts as fresh (step-up)")
    bcrypt_rounds: int = Field(12, ge=4, le=18, description="cost of a password hash; production wants at least 10")
    rate_limits: bool = Field(True, description="`off` for load tests and test suites; production refuses it")
    trusted_proxies: int = Field(0, ge=0, le=10, description="how many proxies in front are believed")
    cors_origins: Origins = Field((), description="exact origins, separated by commas")
    mail_url: str = Field(
        "",
        description="`file:///folder` under `instance/mail` when empty, or `smtp://user:password@host:port`, `smtps://`",
    )
    mail_from: str = Field("", description="sender of letters, `Name <address>`; no-reply@ the host of PUBLIC_URL")
    mail_timeout_seconds: float = Field(10, gt=0, le=15, description="how long a mail server may take for an answer")
    mail_worker: bool = Field(
        True, description="`off`: letters and housekeeping are left to `flask mail deliver` in a process of its own"
    )
    service_name: str = Field("Gatehouse", min_length=1, max_length=64, description="what letters call this service")
    verify_path: str = Field("/pages/verify", description="page under FRONTEND_URL that verifies an address")
    reset_path: str = Field("/pages/reset", description="page that asks for a new password")
    magic_link_path: str = Field("/pages/magic-link", description="page that signs in by a mailed link")
    confirm_email_path: str = Field("/pages/confirm-email", description="page that confirms a new address")
    not_me_path: str = Field("/pages/not-me", description="page that reports an account as taken over")
    password_min_length: int = Field(
        8, ge=8, le=64, description="15 where a password is the only factor (SP 800-63B-4)"
    )
    password_pepper: str = Field("", description="secret of at least 32 bytes, mixed into every password to be hashed")
    breach_check_url: str = Field(
        "", description="range API that knows breached passwords, such as https://api.example.com/range; off when empty"
    )
    private_registration: bool = Field(False, description="registration tells nobody whether an address is known")
    require_verified_email: bool = Field(False, description="sign in only with a verified address")
    magic_link: bool = Field(True, description="`off`: mail is no way to sign in, anywhere")
    mfa_policy: Literal["optional", "required", "required_for_roles"] = Field(
        "optional", description="who must have a second factor; `required_for_roles` names them in MFA_ROLES"
    )
    mfa_roles: Origins = Field((), description="roles that must have a second factor, separated by commas")
    trusted_device_days: int = Field(30, ge=0, le=365, description="days a device may skip the second factor; 0: never")
    rp_id: str = Field("", description="domain that passkeys belong to; the host of FRONTEND_URL when empty")
    passkey_origins: Origins = Field(
        (), description="exact origins whose pages may use passkeys; those of FRONTEND_URL and PUBLIC_URL when empty"
    )
    sms_url: str = Field(
        "", description="`https://...` of a sender of short messages, or `file:///folder`; none when empty"
    )
    sms_body: str = Field(
        "to={to}&text={text}", description="what is posted there, a form or JSON, `{to}` and `{text}` filled in"
    )
    sms_authorization: str = Field("", description="`Authorization` header for the sender of short messages")
    registration: Literal["open", "closed"] = Field("open", description="`closed`: nobody registers by themselves")
    csp_report_url: str = Field(
        "",
        pattern=r"^(https?://[^\s\";,]+)?$",
        description="where browsers report what the built-in pages were kept from doing",
    )
    audit_retention_days: int = Field(400, ge=1, description="age at which rows of the audit trail are removed")
    metrics_token: str = Field(
        "", description="whoever sends it as a Bearer token reads /metrics; without it only this machine may"
    )
    log_format: Literal["", "text", "json"] = Field("", description="`text` in development, `json` in production")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")

    @field_validator("cors_origins", "secret_key_fallbacks", "mfa_roles", "passkey_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("public_url", "frontend_url")
    @classmethod
    def _no_slash_at_the_end(cls, value: str) -> str:
        if urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).netloc:
            raise ValueError("must be an http or https URL")
        return value.rstrip("/")

    @field_validator("verify_path", "reset_path", "magic_link_path", "confirm_email_path", "not_me_path")
    @classmethod
    def _paths_are_plain(cls, value: str) -> str:
        if (
            not value.startswith("/")
            or value.startswith("//")
            or not value.isascii()
            or not value.isprintable()
            or set(value) & set(" #")
        ):
            raise ValueError("must be a path that begins with / and has no #")
        return value

    @field_validator("mail_url")
    @classmethod
    def _mail_leaves_by_a_known_way(cls, value: str) -> str:
        if value and (urlsplit(value).scheme not in MAIL_SCHEMES or urlsplit(value).port == 0):
            raise ValueError("must be an smtp://, smtps:// or file:// URL")
        return value

    @field_validator("mail_from", "service_name")
    @classmethod
    def _headers_are_one_line(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError("must be one line")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins_are_exact(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            parts = urlsplit(origin)
            if parts.scheme not in ("http", "https") or f"{parts.scheme}://{parts.netloc}" != origin or "*" in origin:
                raise ValueError("each must be an exact origin such as https://app.example.com, never a wildcard")
        return value

    @model_validator(mode="wrap")
    @classmethod
    def _name_every_fault(cls, values: dict[str, Any], handler: ModelWrapValidatorHandler[Self]) -> Self:
        """A value that cannot be read shall not hide what else is wrong: that is looked for among those that can."""
        try:
            made, faults = handler(values), []
        except ValidationError as error:
            unreadable = {problem["loc"][0] for problem in error.errors()}
            made = handler({name: value for name, value in values.items() if name not in unreadable})
            faults = _faults(error)
        faults += _unsafe(made) if made.production else []
        faults += [f"PASSKEY_ORIGINS holds {origin}, which is not of RP_ID" for origin in made.foreign_origins]
        if faults:
            raise ValueError("; ".join(faults))
        return made

    @property
    def foreign_origins(self) -> list[str]:
        """Origins that may not use the domain of the passkeys."""
        return [origin for origin in self.passkey_origins if not self._is_of_relying_party(origin)]

    @property
    def relying_party(self) -> str:
        """The domain that passkeys belong to (WebAuthn: the RP ID). An address is none, so loopback is `localhost`."""
        host = urlsplit(self.frontend_url).hostname or ""
        return self.rp_id or ("localhost" if host in ("127.0.0.1", "::1") else host)

    @property
    def ceremony_origins(self) -> list[str]:
        """The origins whose pages may use passkeys."""
        own = (urlsplit(self.frontend_url), urlsplit(self.public_url))
        named = [f"{url.scheme}://{url.netloc}".replace("//127.0.0.1", "//localhost") for url in own]
        return list(self.passkey_origins or dict.fromkeys(filter(self._is_of_relying_party, named)))

    def _is_of_relying_party(self, origin: str) -> bool:
        """Whether a page's origin may use the RP ID; an app's origin carries a key in place of a host."""
        host = urlsplit(origin).hostname or ""
        return origin.startswith("android:") or f".{host}".endswith(f".{self.relying_party}")

    @property
    def production(self) -> bool:
        """Whether this is a real deployment."""
        return self.app_env == "production"

    @property
    def secure_cookies(self) -> bool:
        """Whether cookies carry `Secure` and the name prefixes that need it."""
        return self.public_url.startswith("https://")

    @property
    def sender(self) -> tuple[str, str]:
        """Name and address that letters come from."""
        name, address = parseaddr(self.mail_from)
        host = urlsplit(self.public_url).hostname or "localhost"
        domain = host if "." in host and host[-1].isalpha() else "localhost"
        return name or self.service_name, address or f"no-reply@{domain}"

    @property
    def sqlalchemy_url(self) -> str:
        """The database URL with the driver that is installed."""
        if not self.database_url:
            return f"sqlite:///{self.instance_path / 'site.db'}"
        scheme, rest = self.database_url.split("://", 1)
        return f"postgresql+psycopg://{rest}" if scheme in ("postgres", "postgresql") else self.database_url

    @property
    def allowed_origins(self) -> frozenset[str]:
        """Origins whose pages may use this service with cookies."""
        own = (urlsplit(self.public_url), urlsplit(self.frontend_url))
        return frozenset({*self.cors_origins, *(f"{url.scheme}://{url.netloc}" for url in own)})


class _Given(Settings):
    """Settings from the values given and from nothing else, for tests and embedding programs."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what was passed in: neither the environment nor a file."""
        return (init_settings,)


def load(config: Mapping[str, Any] | Settings | None = None) -> Settings:
    """Read the settings from the environment and `.env`, or from `config` alone when it is given.

    Raises SettingsError that names every unknown, malformed or unsafe setting.
    """
    if isinstance(config, Settings):
        return config
    try:
        read = Settings() if config is None else _Given(**{name.lower(): value for name, value in config.items()})
    except ValidationError as error:
        raise SettingsError("Unsafe or wrong settings: " + "; ".join(_faults(error))) from None
    return read if read.secret_key else read.model_copy(update={"secret_key": _development_secret(read)})


def settings() -> Settings:
    """The settings of the application that serves this request."""
    found: Settings = current_app.extensions["gatehouse.settings"]
    return found


def _unsafe(given: Settings) -> list[str]:
    https = {"PUBLIC_URL": given.public_url, "FRONTEND_URL": given.frontend_url}
    unsafe = [
        f"{name} must be https, or cookies and links are open to the network"
        for name, url in https.items()
        if not url.startswith("https://")
    ]
    keys = {"SECRET_KEY": (given.secret_key,), "SECRET_KEY_FALLBACKS": given.secret_key_fallbacks}
    keys["PASSWORD_PEPPER"] = (given.password_pepper,) if given.password_pepper else ()
    weak = (name for name, named in keys.items() if any(map(guessable.is_weak, named)))
    unsafe += [f"{name} must be at least 32 random bytes" for name in weak]
    if not given.rate_limits:
        unsafe.append("RATE_LIMITS must be on")
    if given.bcrypt_rounds < 10:
        unsafe.append("BCRYPT_ROUNDS must be at least 10")
    if not given.mail_url.startswith(("smtp://", "smtps://")):
        unsafe.append("MAIL_URL must be an smtp:// or smtps:// server")
    if given.metrics_token and (len(given.metrics_token) < 16 or guessable.is_guessable(given.metrics_token)):
        unsafe.append("METRICS_TOKEN must be at least 16 random characters")
    unsafe += [
        f"{name} must be an https:// server"
        for name, url in {"SMS_URL": given.sms_url, "BREACH_CHECK_URL": given.breach_check_url}.items()
        if url and not url.startswith("https://")
    ]
    origins = {"CORS_ORIGINS": given.cors_origins, "PASSKEY_ORIGINS": given.passkey_origins}
    unsafe += [
        f"{name} holds {origin}, which is not https"
        for name, named in origins.items() for origin in named if not origin.startswith(("https:", "android:"))
    ]  # fmt: skip
    return unsafe


def _faults(error: ValidationError) -> list[str]:
    lines = []
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        # A default that could not be made from a setting at fault is no fault of its own.
        if problem["type"] == "default_factory_not_called":
            continue
        name = ".".join(str(part) for part in problem["loc"]).upper()
        message = (
            "is not a setting" if problem["type"] == "extra_forbidden" else problem["msg"].removeprefix("Value error, ")
        )
        lines.append(f"{name}: {message}" if name else message)
    return lines


def _development_secret(read: Settings) -> str:
    """The secret of a development checkout, made once; production never comes here with an empty secret."""
    keeper = read.instance_path / "secret_key"
    read.instance_path.mkdir(parents=True, exist_ok=True)
    try:
        with open(os.open(keeper, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
    except FileExistsError:
        pass
    return keeper.read_text()
