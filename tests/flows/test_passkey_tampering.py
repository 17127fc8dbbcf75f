"""Ceremonies that somebody has tampered with: each is refused, with the same answer, and leaves nothing behind."""

import hashlib
import secrets
from dataclasses import replace

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.authenticator import AT, BE, BS, UP, UV, Authenticator, Kept, Tampering, encoded, sign
from tests.support.factors import begin, verified

OTHER_ORIGINS = {
    "origin by sub-domain": "http://evil.localhost:8000",
    "origin by suffix": "http://notlocalhost:8000",
    "origin by prefix": "http://localhost:8000.evil.example",
    "origin by port": "http://localhost:8001",
    "origin by no port": "http://localhost",
    "origin by scheme": "https://localhost:8000",
    "origin by case": "HTTP://LOCALHOST:8000",
    "origin null": "null",
    "origin no text": ["http://localhost:8000"],
}


def key(**members):
    """A change of the public key's COSE members; None removes one."""
    numbers = {"kty": 1, "alg": 3, "crv": -1, "x": -2, "y": -3}

    def change(encoded_key):
        changed = {**cbor2.loads(encoded_key), **{numbers[name]: value for name, value in members.items()}}
        return cbor2.dumps({name: value for name, value in changed.items() if value is not None})

    return change


def member(name, value):
    """A change of one member of the credential; in `response` when the name says so."""

    def change(credential):
        if name.startswith("response."):
            return {**credential, "response": {**credential["response"], name.removeprefix("response."): value}}
        return {**credential, name: value}

    return change


def flags(*, on=0, off=0):
    """A change of the flags of the authenticator data."""
    return lambda given: given & ~off | on


def flipped(data):
    """The bytes with one bit of the last changed."""
    return data[:-1] + bytes([data[-1] ^ 1])


def with_flags(given):
    """A change of the flags after signing."""
    return lambda data: data[:32] + bytes([data[32] ^ given]) + data[33:]


def small_rsa(_key):
    """A public key of 1024 bits."""
    return cbor2.dumps({1: 3, 3: -257, -1: b"\xc1" + bytes(126) + b"\x01", -2: b"\x01\x00\x01"})


REGISTRATIONS = {
    **{name: Tampering(client_data={"origin": origin}) for name, origin in OTHER_ORIGINS.items()},
    "challenge of nobody": Tampering(client_data={"challenge": encoded(secrets.token_bytes(32))}),
    "challenge no text": Tampering(client_data={"challenge": 7}),
    "type of the other ceremony": Tampering(client_data={"type": "webauthn.get"}),
    "embedded in a foreign page": Tampering(client_data={"crossOrigin": True}),
    "below a foreign page": Tampering(client_data={"topOrigin": "https://evil.example"}),
    "rpIdHash of another service": Tampering(rp_id="evil.example"),
    "rpIdHash of the sub-domain": Tampering(rp_id="evil.localhost"),
    "nobody present": Tampering(flags=flags(off=UP)),
    "backed up but not eligible": Tampering(flags=flags(on=BS, off=BE)),
    "no credential inside": Tampering(flags=flags(off=AT), auth_data=lambda data: data[:37]),
    "no credential inside, but said": Tampering(auth_data=lambda data: data[:37]),
    "more bytes than there should be": Tampering(auth_data=lambda data: data + b"\0"),
    "fewer bytes than there should be": Tampering(auth_data=lambda data: data[:-1]),
    "algorithm unknown": Tampering(key=key(alg=-65535)),
    "algorithm not offered": Tampering(key=key(alg=-47)),
    "algorithm of another kind of key": Tampering(key=key(alg=-257)),
    "key without algorithm": Tampering(key=key(alg=None)),
    "key of an unknown kind": Tampering(key=key(kty=9)),
    "key not on the curve": Tampering(key=key(x=b"\1" * 32)),
    "key too short": Tampering(key=key(x=b"\1")),
    "key not CBOR": Tampering(key=lambda _: b"\xff"),
    "key empty": Tampering(key=lambda _: b""),
    "RSA key too small": Tampering(key=small_rsa),
    "attestation of an unknown format": Tampering(attestation=lambda made: {**made, "fmt": "wax-seal"}),
    "attestation none with a statement": Tampering(attestation=lambda made: {**made, "attStmt": {"sig": b"x"}}),
    "attestation with a false signature": Tampering(
        attestation=lambda made: {**made, "fmt": "packed", "attStmt": {"alg": -7, "sig": b"\0" * 70}}
    ),
    "attestation no map": Tampering(attestation=lambda _: [1, 2, 3]),
    "attestation without data": Tampering(attestation=lambda made: {**made, "authData": b""}),
    "client data no JSON": Tampering(credential=member("response.clientDataJSON", encoded(b"{"))),
    "client data no object": Tampering(credential=member("response.clientDataJSON", encoded(b"[]"))),
    "client data missing": Tampering(credential=member("response.clientDataJSON", None)),
    "attestation object missing": Tampering(credential=member("response.attestationObject", None)),
    "attestation object no CBOR": Tampering(credential=member("response.attestationObject", "____")),
    "id of another credential": Tampering(credential=member("id", encoded(b"another"))),
    "type unknown": Tampering(credential=member("type", "password")),
    "response missing": Tampering(credential=member("response", None)),
}

# Signed by the right key: what is wrong is what the authenticator, or the page it stood on, said.
# Changed after the signature: what is wrong shows only in the signature.
ASSERTIONS = {
    **{name: Tampering(client_data={"origin": origin}) for name, origin in OTHER_ORIGINS.items()},
    "challenge of nobody": Tampering(client_data={"challenge": encoded(secrets.token_bytes(32))}),
    "challenge missing": Tampering(client_data={"challenge": None}),
    "type of the other ceremony": Tampering(client_data={"type": "webauthn.create"}),
    "embedded in a foreign page": Tampering(client_data={"crossOrigin": True}),
    "below a foreign page": Tampering(client_data={"topOrigin": "https://evil.example"}),
    "rpIdHash of another service": Tampering(rp_id="evil.example"),
    "nobody present": Tampering(flags=flags(off=UP)),
    "person not verified": Tampering(flags=flags(off=UV)),
    "backed up but not eligible": Tampering(flags=flags(on=BS)),
    "eligible where it was not": Tampering(flags=flags(on=BE)),
    "data too short": Tampering(auth_data=lambda data: data[:36]),
    "data with more than there should be": Tampering(auth_data=lambda data: data + b"\0"),
    "flags changed on the way": Tampering(signed_auth_data=with_flags(BE | BS)),
    "counter changed on the way": Tampering(signed_auth_data=flipped),
    "client data changed on the way": Tampering(signed_client_data=lambda data: data.replace(b"}", b" }")),
    "signature altered": Tampering(signature=flipped),
    "signature empty": Tampering(signature=lambda _: b""),
    "signature by another key": Tampering(
        signature=lambda _: sign(ec.generate_private_key(ec.SECP256R1()), hashlib.sha256(b"").digest())
    ),
    "signature missing": Tampering(credential=member("response.signature", None)),
    "owner is somebody else": Tampering(credential=member("response.userHandle", encoded(b"somebody"))),
    "owner not said": Tampering(credential=member("response.userHandle", None)),
    "owner empty": Tampering(credential=member("response.userHandle", "")),
    "owner no text": Tampering(credential=member("response.userHandle", 7)),
    "id of no credential": Tampering(
        credential=lambda made: {**made, "id": encoded(b"no such"), "rawId": encoded(b"no such")}
    ),
    "id unlike the raw id": Tampering(credential=member("rawId", encoded(b"another"))),
    "id no text": Tampering(credential=member("id", 7)),
    "type unknown": Tampering(credential=member("type", "password")),
    "response missing": Tampering(credential=member("response", None)),
    "response no object": Tampering(credential=member("response", "signed")),
}

bearer_only = pytest.mark.parametrize("client_kind", ["bearer"], indirect=True)


def register(client, credential):
    return client.post("/auth/passkeys/register/verify", {"credential": credential})


def sign_in(client, credential, **body):
    return client.post("/auth/passkeys/login/verify", {"credential": credential, **body})


def creation(client):
    return client.post("/auth/passkeys/register/options").json


def request(client, **body):
    return client.post("/auth/passkeys/login/options", body).json


@pytest.fixture
def authenticator(client):
    """An authenticator with a passkey of ada, who is signed in."""
    made = Authenticator()
    verified(client)
    assert register(client, made.create(creation(client))).status == 201
    return made


def told(answer):
    """An answer without the id of its request."""
    return answer.status, answer.text.replace(answer.json["request_id"], "")


def refused_registration(answer):
    return (answer.status, answer.code, answer.message) == (
        400,
        "passkey_invalid",
        "This passkey could not be registered",
    )


def refused_assertion(answer):
    return (answer.status, answer.code, answer.message) == (401, "code_invalid", "This code is not valid")


@bearer_only
@pytest.mark.parametrize("tampering", REGISTRATIONS.values(), ids=REGISTRATIONS)
@pytest.mark.asvs("WebAuthn L3")
def test_a_tampered_registration_is_refused(client, tampering):
    options = creation(verified(client))
    assert refused_registration(register(client, Authenticator().create(options, tampering)))
    assert client.get("/auth/passkeys").json["items"] == []
    assert client.get("/auth/me").json["mfa"] is False


@bearer_only
@pytest.mark.parametrize("tampering", ASSERTIONS.values(), ids=ASSERTIONS)
@pytest.mark.asvs("WebAuthn L3")
def test_a_tampered_assertion_is_refused(client, authenticator, tampering):
    assert refused_assertion(sign_in(client.another(), authenticator.get(request(client), tampering)))
    assert sign_in(client.another(), authenticator.get(request(client))).status == 200


@pytest.mark.asvs("6.5.1", "6.7.2")
def test_a_registration_is_answered_once(client):
    options = creation(verified(client))
    assert register(client, Authenticator().create(options)).status == 201
    client.another().login()
    assert client.post("/auth/passkeys/register/verify", {"credential": {}}).code == "fresh_token_required"


@pytest.mark.asvs("6.7.2")
def test_a_refused_registration_has_spent_its_challenge(client):
    options = creation(verified(client))
    wrong = Tampering(client_data={"origin": "http://localhost:1"})
    assert refused_registration(register(client, Authenticator().create(options, wrong)))
    assert refused_registration(register(client, Authenticator().create(options)))


@pytest.mark.asvs("6.5.1", "6.7.2")
def test_a_challenge_is_answered_once(client, authenticator):
    options = request(client)
    assert sign_in(client.another(), authenticator.get(options)).status == 200
    assert refused_assertion(sign_in(client.another(), authenticator.get(options)))


@pytest.mark.asvs("6.7.2")
def test_a_challenge_lives_five_minutes(client, authenticator, clock):
    options, late = request(client), creation(verified(client.another(), "eve"))
    clock.shift(301)
    assert refused_assertion(sign_in(client.another(), authenticator.get(options)))
    eve = client.another()
    eve.login("eve")
    assert refused_registration(register(eve, Authenticator().create(late)))


@pytest.mark.asvs("6.6.2")
def test_another_persons_challenge_registers_nothing(client):
    eves = creation(verified(client.another(), "eve"))
    assert refused_registration(register(verified(client), Authenticator().create(eves)))


@pytest.mark.asvs("6.6.2")
@pytest.mark.parametrize("made_for", ["registration", "second factor", "step-up"])
def test_a_challenge_of_another_ceremony_signs_nobody_in(client, authenticator, made_for):
    if made_for == "registration":
        options = {**request(client), "challenge": creation(verified(client.another(), "eve"))["challenge"]}
    elif made_for == "second factor":
        options = request(client, mfa_token=begin(client.another()))
    else:
        options = client.post("/auth/reauthenticate/options").json
    assert refused_assertion(sign_in(client.another(), authenticator.get(options)))


@pytest.mark.asvs("6.6.2")
def test_a_challenge_of_a_sign_in_registers_nothing_and_steps_up_nothing(client, authenticator):
    answer = authenticator.get(request(client))
    assert refused_assertion(client.post("/auth/reauthenticate", {"passkey": answer}))
    eve = verified(client.another(), "eve")
    options = {**creation(eve), "challenge": request(client)["challenge"]}
    assert refused_registration(register(eve, Authenticator().create(options)))


@pytest.mark.asvs("6.6.2")
def test_a_challenge_is_bound_to_its_half_finished_sign_in(client, authenticator):
    one, two = client.another(), client.another()
    first, second = begin(one), begin(two)
    options = request(one, mfa_token=first)
    assert refused_assertion(sign_in(two, authenticator.get(options), mfa_token=second))


@pytest.mark.asvs("6.6.2")
def test_a_foreign_passkey_is_no_second_factor(client, authenticator):
    eve, eves = verified(client.another(), "eve"), Authenticator()
    register(eve, eves.create(creation(eve)))
    mfa_token = begin(client)
    options = request(client, mfa_token=mfa_token)
    assert refused_assertion(sign_in(client, eves.get(options, use=eves.kept[0]), mfa_token=mfa_token))


@pytest.mark.asvs("6.6.2")
def test_a_foreign_passkey_steps_up_nobody(client, authenticator):
    eve, eves = verified(client.another(), "eve"), Authenticator()
    register(eve, eves.create(creation(eve)))
    options = client.post("/auth/reauthenticate/options").json
    assert refused_assertion(client.post("/auth/reauthenticate", {"passkey": eves.get(options, use=eves.kept[0])}))


def test_a_registered_credential_cannot_be_registered_again_by_anybody(client, authenticator):
    eve = verified(client.another(), "eve")
    copied = authenticator.kept[0].id
    options = creation(eve)
    stolen = Authenticator()
    plain = stolen.create(options, Tampering(auth_data=lambda data: data[:55] + copied + data[87:]))
    assert refused_registration(register(eve, {**plain, "id": encoded(copied), "rawId": encoded(copied)}))


@pytest.mark.parametrize("step_back", [0, 1, 5])
def test_a_counter_that_does_not_grow_is_refused(client, authenticator, step_back):
    for _ in range(6):
        assert sign_in(client.another(), authenticator.get(request(client))).status == 200
    authenticator.kept[0].count -= step_back + 1
    assert refused_assertion(sign_in(client.another(), authenticator.get(request(client))))


def test_an_authenticator_that_counts_nothing_is_fine(client):
    plain = Authenticator(counts=False)
    register(verified(client), plain.create(creation(client)))
    for _ in range(2):
        assert sign_in(client.another(), plain.get(request(client))).status == 200


def test_a_counter_that_was_kept_cannot_return_to_nothing(client, authenticator):
    sign_in(client.another(), authenticator.get(request(client)))
    authenticator.kept[0].count, authenticator.counts = 0, False
    assert refused_assertion(sign_in(client.another(), authenticator.get(request(client))))


def test_an_unverified_person_is_no_two_factors(client, authenticator):
    careless = replace(authenticator, verifies=False)
    assert refused_assertion(sign_in(client.another(), careless.get(request(client))))
    options = client.post("/auth/reauthenticate/options").json
    assert refused_assertion(client.post("/auth/reauthenticate", {"passkey": careless.get(options)}))


@pytest.mark.asvs("6.5.1")
def test_every_refusal_of_an_assertion_is_the_same_bytes(client, authenticator, statements):
    answers = set()
    for name in ("signature altered", "id of no credential", "origin by port", "person not verified"):
        options = request(client)
        credential = authenticator.get(options, ASSERTIONS[name])
        with statements() as seen:
            answer = sign_in(client.another(), credential)
        answers.add((*told(answer), tuple(seen)))
    assert len(answers) == 1


def test_a_key_made_by_the_thief_opens_nothing(client, authenticator):
    kept = authenticator.kept[0]
    forged = Kept(kept.rp_id, ec.generate_private_key(ec.SECP256R1()), kept.user_handle, kept.id, kept.count)
    assert refused_assertion(sign_in(client.another(), authenticator.get(request(client), use=forged)))


def test_there_are_at_least_twenty_two_ways_to_tamper_with_each_ceremony():
    assert min(len(REGISTRATIONS), len(ASSERTIONS)) >= 22
