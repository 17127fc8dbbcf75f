"""`db` and every table: columns, constraints, indexes. No queries, no cryptography."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    JSON,
    BigInteger,
    Connection,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    event,
    func,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Every constraint gets a name of its own, so that a migration can speak of it on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def _written(value: datetime | None) -> str | None:
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds") if value else None


def _read(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value).replace(tzinfo=UTC) if value else None


class Moment(TypeDecorator[datetime]):
    """An instant: aware and UTC in Python, TIMESTAMPTZ on PostgreSQL, UTC text on SQLite (which has no zones).

    Nearly every statement carries some, so on SQLite each is converted in one step, to the text SQLAlchemy writes.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Read in UTC, whatever zone the session of the database is in."""
        return value.astimezone(UTC) if value else None

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        """What makes a value of the database from an instant."""
        return _written if dialect.name == "sqlite" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """What makes an instant from a value of the database."""
        return _read if dialect.name == "sqlite" else super().result_processor(dialect, coltype)


def now() -> datetime:
    """The time, aware and in UTC."""
    return datetime.now(UTC)


db = SQLAlchemy(model_class=Base, disable_autonaming=True)

# Ids are 64 bits wide on PostgreSQL; on SQLite only INTEGER makes the primary key the row id.
BigId = BigInteger().with_variant(Integer, "sqlite")
NOW = func.current_timestamp()
NEVER_REUSED = {"sqlite_autoincrement": True}


def _owner(nullable: bool = False) -> Any:
    return mapped_column(ForeignKey("users.id", ondelete="CASCADE"), nullable=nullable, index=True)


class User(Base):
    """A person's account. `*_key` are the normal forms that names are compared in.

    The epoch is part of a key, although `id` is one alone: PostgreSQL then makes a session that is written at that
    moment wait for its change, and look again, where any other column would be taken as it was (`session_rows`).
    """

    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("id", "device_epoch", name="uq_users_id_device_epoch"), NEVER_REUSED)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    username: Mapped[str] = mapped_column(String(80), unique=True)
    email: Mapped[str] = mapped_column(String(120), unique=True)
    password_hash: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment, server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(Moment, server_default=NOW)
    username_key: Mapped[str] = mapped_column(String(320), unique=True)
    username_skeleton: Mapped[str] = mapped_column(String(640), unique=True)
    email_key: Mapped[str] = mapped_column(String(480), unique=True)
    email_verified_at: Mapped[datetime | None] = mapped_column(Moment)
    disabled_at: Mapped[datetime | None] = mapped_column(Moment)
    reset_forced_at: Mapped[datetime | None] = mapped_column(Moment)
    deleted_at: Mapped[datetime | None] = mapped_column(Moment)
    mfa_since: Mapped[datetime | None] = mapped_column(Moment)
    device_epoch: Mapped[int] = mapped_column(server_default="0")
    locale: Mapped[str] = mapped_column(String(16), server_default="en")
    roles: Mapped[list[str]] = mapped_column(JSON, server_default=text("'[]'"))


class Session(Base):
    """One row a sign-in. A refresh token names the session and the generation it was made for.

    `factor` is the method of the second proof, if there was one.
    """

    __tablename__ = "sessions"
    __table_args__ = (Index("ix_sessions_user_id_created_at", "user_id", "created_at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    generation: Mapped[int] = mapped_column(server_default="0")
    rotated_at: Mapped[datetime] = mapped_column(Moment)
    amr: Mapped[str] = mapped_column(String(64))
    acr: Mapped[str] = mapped_column(String(16))
    factor: Mapped[str | None] = mapped_column(String(16))
    auth_time: Mapped[datetime] = mapped_column(Moment)
    enrol_only: Mapped[bool] = mapped_column()
    device_id: Mapped[str | None] = mapped_column(String(32))
    ip: Mapped[str] = mapped_column(String(45))
    user_agent: Mapped[str] = mapped_column(String(256))
    created_at: Mapped[datetime] = mapped_column(Moment)
    last_used_at: Mapped[datetime] = mapped_column(Moment)
    idle_expires_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)
    revoked_at: Mapped[datetime | None] = mapped_column(Moment)
    revoked_why: Mapped[str | None] = mapped_column(String(32))


class RevokedToken(Base):
    """A `jti` or a `sid` that is void, kept until the last access token it concerns has expired."""

    __tablename__ = "revoked_tokens"
    __table_args__ = (NEVER_REUSED,)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(String(64))
    revoked_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)


class SigningKey(Base):
    """A key that signs tokens, private part encrypted. `current` is 1 for the one that signs, NULL for the others."""

    __tablename__ = "signing_keys"

    kid: Mapped[str] = mapped_column(String(64), primary_key=True)
    algorithm: Mapped[str] = mapped_column(String(8))
    private_key: Mapped[bytes] = mapped_column(LargeBinary)
    public_jwk: Mapped[dict[str, str] | None] = mapped_column(JSON)
    current: Mapped[int | None] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(Moment)
    verify_until: Mapped[datetime | None] = mapped_column(Moment)


class AuditEvent(Base):
    """What happened. Append only; `position`, `previous_hash` and `hash` are the chain, sealed soon after."""

    __tablename__ = "audit_events"
    __table_args__ = (Index("ix_audit_events_user_id_id", "user_id", "id"), NEVER_REUSED)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime] = mapped_column(Moment)
    name: Mapped[str] = mapped_column(String(48))
    user_id: Mapped[int | None] = mapped_column()
    session_id: Mapped[str | None] = mapped_column(String(32))
    ip: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(String(256))
    request_id: Mapped[str | None] = mapped_column(String(64))
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    position: Mapped[int | None] = mapped_column(BigInteger, unique=True)
    origin_hash: Mapped[str | None] = mapped_column(String(64))
    previous_hash: Mapped[str | None] = mapped_column(String(64))
    hash: Mapped[str | None] = mapped_column(String(64))


class AuditHead(Base):
    """The one row that says where the chain of the audit trail begins and ends, under a keyed hash of its own."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    first_position: Mapped[int] = mapped_column(BigInteger)
    first_hash: Mapped[str] = mapped_column(String(64))
    last_position: Mapped[int] = mapped_column(BigInteger)
    last_hash: Mapped[str] = mapped_column(String(64))
    proof: Mapped[str] = mapped_column(String(64))


class Bookmark(Base):
    """How far a reader of the sealed audit trail has come."""

    __tablename__ = "bookmarks"

    reader: Mapped[str] = mapped_column(String(32), primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)


class Attempt(Base):
    """Guesses at one account, from one of its devices, or under one name, whose `subject` is a keyed hash.

    `proven_at` is the sign-in that the guesses in a row are counted from.
    """

    __tablename__ = "attempts"

    subject: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int | None] = _owner(nullable=True)
    guesses: Mapped[int] = mapped_column()
    in_a_row: Mapped[int] = mapped_column()
    last_guess_at: Mapped[datetime] = mapped_column(Moment, index=True)
    proven_at: Mapped[datetime | None] = mapped_column(Moment)


class RateWindow(Base):
    """The latest requests under one rate limit and key: their moments in milliseconds, 13 digits each, newest first."""

    __tablename__ = "rate_windows"

    key: Mapped[str] = mapped_column(String(160), primary_key=True)
    moments: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)


class OneTimeSecret(Base):
    """A secret that works once: a link, a code, a half-finished sign-in, a challenge. Only hashes are here."""

    __tablename__ = "one_time_secrets"
    __table_args__ = (Index("ix_one_time_secrets_purpose_subject", "purpose", "subject"), NEVER_REUSED)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    purpose: Mapped[str] = mapped_column(String(32))
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    code_hash: Mapped[str | None] = mapped_column(String(64))
    subject: Mapped[str | None] = mapped_column(String(64))
    user_id: Mapped[int | None] = _owner(nullable=True)
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    attempts: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)


class Letter(Base):
    """The outbox. Recipient and context are encrypted: a letter carries secrets until it has left."""

    __tablename__ = "letters"
    __table_args__ = (Index("ix_letters_due_at_id", "due_at", "id"), NEVER_REUSED)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    user_id: Mapped[int | None] = _owner(nullable=True)
    template: Mapped[str] = mapped_column(String(48))
    locale: Mapped[str] = mapped_column(String(16))
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    message_id: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(Moment)
    due_at: Mapped[datetime | None] = mapped_column(Moment)
    attempts: Mapped[int] = mapped_column(server_default="0")
    claim: Mapped[str | None] = mapped_column(String(32))
    delivered_at: Mapped[datetime | None] = mapped_column(Moment)
    gave_up_at: Mapped[datetime | None] = mapped_column(Moment)


class Authenticator(Base):
    """A second factor other than a passkey: `kind` is totp, sms or email; the secret or number is encrypted."""

    __tablename__ = "authenticators"
    __table_args__ = (NEVER_REUSED,)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[int] = _owner()
    kind: Mapped[str] = mapped_column(String(8))
    name: Mapped[str] = mapped_column(String(64))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    last_step: Mapped[int] = mapped_column(BigInteger, server_default="0")
    created_at: Mapped[datetime] = mapped_column(Moment)
    confirmed_at: Mapped[datetime | None] = mapped_column(Moment)
    last_used_at: Mapped[datetime | None] = mapped_column(Moment)


class RecoveryCode(Base):
    """One of ten ways back when every other factor is lost; the row goes when the code is used."""

    __tablename__ = "recovery_codes"
    __table_args__ = (NEVER_REUSED,)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[int] = _owner()
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(Moment)


class Passkey(Base):
    """A WebAuthn credential (WebAuthn Level 3, section 4, credential record).

    One with `disowned_at` no longer signs in by itself: its person has said "not me" of the time it came from.
    """

    __tablename__ = "passkeys"
    __table_args__ = (NEVER_REUSED,)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[int] = _owner()
    user_handle: Mapped[bytes] = mapped_column(LargeBinary)
    credential_id: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(BigInteger)
    transports: Mapped[list[str]] = mapped_column(JSON)
    aaguid: Mapped[str] = mapped_column(String(36))
    backup_eligible: Mapped[bool] = mapped_column()
    backed_up: Mapped[bool] = mapped_column()
    name: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(Moment)
    last_used_at: Mapped[datetime | None] = mapped_column(Moment)
    disowned_at: Mapped[datetime | None] = mapped_column(Moment)


class Device(Base):
    """A browser or program that has signed in to the account before, known by a token it keeps."""

    __tablename__ = "devices"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[int] = _owner()
    user_agent: Mapped[str] = mapped_column(String(256))
    ip: Mapped[str] = mapped_column(String(45))
    created_at: Mapped[datetime] = mapped_column(Moment)
    last_seen_at: Mapped[datetime] = mapped_column(Moment, index=True)
    trusted_until: Mapped[datetime | None] = mapped_column(Moment)


class HeldName(Base):
    """A name that nobody may take for now: of a deleted account, or an address with a way back for its owner.

    Only its keyed hash is kept.
    """

    __tablename__ = "held_names"

    name_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int | None] = _owner(nullable=True)
    held_until: Mapped[datetime] = mapped_column(Moment, index=True)


# `updated_at` is kept by the database, whatever program changes the row (the first document: ON UPDATE).
TOUCH_SQLITE = """CREATE TRIGGER users_touch AFTER UPDATE ON users FOR EACH ROW
WHEN NEW.updated_at IS OLD.updated_at
BEGIN UPDATE users SET updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE id = NEW.id; END"""
TOUCH_POSTGRESQL = (
    """CREATE FUNCTION users_touch() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN NEW.updated_at = clock_timestamp(); RETURN NEW; END $$""",
    """CREATE TRIGGER users_touch BEFORE UPDATE ON users FOR EACH ROW
WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at) EXECUTE FUNCTION users_touch()""",
)


@event.listens_for(Base.metadata.tables["users"], "after_create")
def _create_triggers(_table: Table, connection: Connection, **_: Any) -> None:
    for statement in (TOUCH_SQLITE,) if connection.dialect.name == "sqlite" else TOUCH_POSTGRESQL:
        connection.exec_driver_sql(statement)
