"""Cryptography as it is used: chance, encryption at rest, hashes of secrets, keys of their full length."""

import base64
import re
from collections import Counter

import pytest
from sqlalchemy import select

from auth import crypto, keys
from models import AuditEvent, Authenticator, OneTimeSecret, Session, User, db
from tests.support.clients import PASSWORD
from tests.support.factors import App, begin, read, verified, verify
from tests.support.mailbox import Mailbox
from tests.support.marks import one_client, one_database
from tests.support.tables import change, rows

MANY = 10_000


# Chance


@pytest.mark.asvs("11.5.1", "7.2.3")
@pytest.mark.parametrize(("make", "octets"), [(crypto.random_secret, 32), (crypto.random_id, 16)])
def test_secrets_are_long_and_never_repeat_nor_begin_alike(make, octets):
    made = [make() for _ in range(MANY)]
    assert {len(base64.urlsafe_b64decode(one + "==")) for one in made} == {octets}
    assert len(set(made)) == MANY
    assert len({one[:5] for one in made}) > MANY * 0.99
    assert all(len(set(column)) >= 64 for column in list(zip(*made, strict=True))[:-1])


@pytest.mark.asvs("6.5.3")
def test_every_letter_of_a_code_is_as_likely_as_any_other():
    """Chi-square with 31 degrees of freedom: a fair choice passes 110 once in a billion runs."""
    counts = Counter("".join(crypto.random_code() for _ in range(MANY)))
    expected = MANY * crypto.CODE_LENGTH / len(crypto.CODE_ALPHABET)
    assert counts.keys() == set(crypto.CODE_ALPHABET)
    assert sum((count - expected) ** 2 / expected for count in counts.values()) < 110


@pytest.mark.asvs("11.5.2")
def test_secrets_of_many_threads_never_repeat(race):
    made = [one for some in race(64, lambda _: [crypto.random_secret() for _ in range(200)]) for one in some]
    assert len(set(made)) == 64 * 200


@one_database
@one_client
@pytest.mark.asvs("11.5.1", "11.4.3", "6.5.2")
def test_a_mailed_secret_has_256_bits_and_only_its_hash_is_stored(app, client):
    client.register("ada")
    client.post("/auth/password/forgot", {"email": "ada@example.org"})
    letter = Mailbox(app).last()
    assert len(base64.urlsafe_b64decode(letter.token + "==")) == 32
    stored = rows(app, OneTimeSecret)[-1]
    assert stored.secret_hash == crypto.hash_secret(letter.token)
    assert stored.code_hash != crypto.hash_secret(letter.code)
    assert len(stored.code_hash) == 64


# Encryption at rest


@one_database
@pytest.mark.asvs("11.3.4")
def test_no_nonce_comes_twice(app):
    with app.app_context():
        nonces = {crypto.encrypt("a purpose", b"the same")[: crypto.NONCE_BYTES] for _ in range(MANY)}
    assert len(nonces) == MANY


@one_database
@pytest.mark.asvs("11.3.3", "11.3.2", "11.2.5")
def test_a_changed_ciphertext_opens_nowhere(app):
    with app.app_context():
        sealed = crypto.encrypt("a purpose", b"secret", "row 1")
        assert crypto.decrypt("a purpose", sealed, "row 1") == b"secret"
        changed = [sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :] for place in range(len(sealed))]
        for broken in (*changed, sealed[:-1], sealed + b"\0", sealed[: crypto.NONCE_BYTES], b""):
            with pytest.raises(crypto.Undecryptable):
                crypto.decrypt("a purpose", broken, "row 1")
        for purpose, bound_to in (("a purpose", "row 2"), ("another purpose", "row 1")):
            with pytest.raises(crypto.Undecryptable):
                crypto.decrypt(purpose, sealed, bound_to)


@pytest.mark.asvs("11.3.2")
def test_the_secret_of_an_authenticator_is_stored_encrypted(app, client):
    secret = App.enrolled(verified(client)).secret
    (row,) = rows(app, Authenticator)
    assert secret.encode() not in row.sealed
    assert base64.b32decode(secret) not in row.sealed
    with app.app_context():
        assert crypto.decrypt("authenticator totp", row.sealed, str(row.user_id)).decode() == secret


@pytest.mark.asvs("11.3.3")
@pytest.mark.parametrize("place", [0, 11, 12, 20, -1])
def test_a_changed_authenticator_is_a_wrong_code_and_an_event_and_no_fault(app, client, place):
    phone = App.enrolled(verified(client))
    sealed = bytearray(rows(app, Authenticator)[0].sealed)
    sealed[place] ^= 1
    change(app, Authenticator, sealed=bytes(sealed))
    other = client.another()
    answer = verify(other, begin(other), phone.code(1))
    assert (answer.status, answer.code) == (401, "code_invalid")
    assert read(client, select(AuditEvent.name).order_by(AuditEvent.id)).scalars().all()[-1] == "mfa.failed"
    assert verify(other, begin(other), phone.recovery_codes[0], "recovery_code").status == 200


# Keys


@one_database
@pytest.mark.asvs("11.2.3", "11.6.1", "11.2.1")
@pytest.mark.parametrize(("algorithm", "bits"), [("EdDSA", 256), ("ES256", 256), ("RS256", 3072), ("HS256", 512)])
def test_every_signing_key_has_its_full_length(make_app, algorithm, bits):
    app = make_app(JWT_ALGORITHM=algorithm)
    with app.app_context():
        private = keys.current().signing.private
    assert bits == (len(private) * 8 if isinstance(private, bytes) else getattr(private, "key_size", 256))


@one_database
@pytest.mark.asvs("11.2.3")
def test_each_purpose_has_a_key_of_256_bits_of_its_own(app):
    with app.app_context():
        derived = {crypto.derive(purpose) for purpose in ("csrf", "lockout", "letters", "audit row", "signing keys")}
    assert {len(key) for key in derived} == {32}
    assert len(derived) == 5


@one_database
@one_client
@pytest.mark.asvs("11.2.5", "9.1.1")
def test_every_broken_token_is_refused_in_the_same_words(client):
    token = client.signed_in().access_token
    head, body, signature = token.split(".")
    broken = [
        "x", "x.y.z", "..", f"{head}.{body}.", f"{head}.{body}", f"{body}.{head}.{signature}", token + "A", token[1:],
        f"{head}.{body[::-1]}.{signature}", f"{head}.{body}.{signature[::-1]}", "é.é.é", "eyJ" * 4000,
        client.refresh_token,
    ]  # fmt: skip
    said = set()
    for one in broken:
        answer = client.get("/auth/protected", headers={"Authorization": f"Bearer {one}"})
        told = [header for header in answer.headers if header[0] != "X-Request-Id"]
        said.add((answer.status, answer.text.replace(answer.json["request_id"], ""), str(told)))
    assert len(said) == 1


# What is stored of a secret


@one_client
@pytest.mark.asvs("11.4.2", "SP 800-63B-4")
def test_passwords_are_stored_as_bcrypt_with_a_salt_of_their_own(make_client):
    client = make_client(BCRYPT_ROUNDS=12)
    client.register("ada")
    client.register("bea")
    ada, bea = rows(client.wire.app, User)
    for row in (ada, bea):
        assert re.fullmatch(r"\$2b\$12\$[./A-Za-z0-9]{53}", row.password_hash)
    assert ada.password_hash[7:29] != bea.password_hash[7:29]


@one_client
@pytest.mark.asvs("11.2.2")
def test_a_higher_cost_takes_hold_with_the_next_sign_in(make_client):
    client = make_client(BCRYPT_ROUNDS=4)
    client.register("ada")
    later = make_client(BCRYPT_ROUNDS=5)
    assert later.login("ada", "Wrong-Guess-Of-Mine-1").code == "invalid_credentials"
    assert rows(client.wire.app, User)[0].password_hash.startswith("$2b$04$")
    assert later.login("ada").status == 200
    assert rows(client.wire.app, User)[0].password_hash.startswith("$2b$05$")
    assert later.another().login("ada").status == client.another().login("ada").status == 200


@pytest.mark.asvs("11.7.2", "11.4.3", "6.5.2", "16.2.5")
def test_nothing_that_opens_a_door_stands_in_the_database(app, client):
    phone = App.enrolled(verified(client))
    client.post("/auth/password/forgot", {"email": "ada@example.org"})
    letter = Mailbox(app).last("ada@example.org")
    other = client.another()
    waiting = begin(other)
    secrets = [PASSWORD, client.access_token, client.refresh_token, phone.secret, waiting, letter.token, letter.code]
    secrets += [*phone.recovery_codes, *(code.replace("-", "") for code in phone.recovery_codes)]
    stored = [str(row) for mapper in db.Model.registry.mappers for row in rows(app, mapper.class_)]
    assert len(stored) > 10
    assert [secret for secret in secrets if any(secret in text for text in stored)] == []


@pytest.mark.asvs("11.7.2")
def test_a_session_has_no_room_for_a_secret():
    assert [one for one in Session.__table__.columns if re.search("token|secret|password|hash", one.name)] == []
