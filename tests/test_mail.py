"""Letters: what they say and in which language, what cannot get into them, and how they travel."""

import re
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from auth import crypto, database, mail
from auth.mail import letters
from auth.worker import delivery
from config import SettingsError
from models import Base, Letter, User, now
from tests.support.mailbox import Mailbox
from tests.support.marks import one_client, one_database
from tests.support.tables import change, rows

PRODUCTION = {
    "APP_ENV": "production",
    "PUBLIC_URL": "https://auth.example.com",
    "FRONTEND_URL": "https://app.example.com",
    "MAIL_URL": "smtps://user:password@mail.example.com",
    "BCRYPT_ROUNDS": 10,
    "RATE_LIMITS": True,
}
# Something of every kind that a template may speak of.
CONTEXT = {
    "username": "ada", "link": "https://app.example.com/pages/x#token=abc", "code": "ABCD2345", "code_minutes": 15,
    "minutes": 15, "hours": 24, "days": 7, "at": "2026-01-01 10:00 UTC", "device": "Firefox on Linux",
    "ip": "192.0.2.1",
}  # fmt: skip
MAIL_REQUESTS = ("/auth/password/forgot", "/auth/magic-link", "/auth/email/verify/request")


def write(app, template="account_deleted", to="ada@example.org", locale="en", **context):
    with app.app_context(), database.apart():
        mail.send(template, to, locale, **({"username": "ada"} | context))


# What they say


@pytest.mark.parametrize("locale", letters.locales())
def test_every_language_has_every_letter(locale):
    files = {file.name for file in (letters.FOLDER / locale).iterdir()}
    assert files == {file.name for file in (letters.FOLDER / "en").iterdir()}


@one_database
@pytest.mark.parametrize("locale", letters.locales())
@pytest.mark.parametrize("template", sorted(letters.templates()))
def test_every_letter_can_be_written(app, template, locale):
    with app.app_context():
        subject, text, html = letters.render(template, locale, CONTEXT)
    assert 0 < len(subject) < 80
    assert "{" not in subject + text + html
    assert ("ada" in text) == ("ada" in html)
    assert text.count(CONTEXT["link"]) <= 1
    assert html.count(f'href="{CONTEXT["link"]}"') == 2 * text.count(CONTEXT["link"])


@one_client
@pytest.mark.parametrize(
    ("accepted", "subject"),
    [
        ("de", "Bitte bestätigen Sie Ihre Adresse"),
        ("de-CH,de;q=0.9,en;q=0.1", "Bitte bestätigen Sie Ihre Adresse"),
        ("fr", "Confirm your address"),
        ("", "Confirm your address"),
        ("*", "Confirm your address"),
        ("xx; q=y, \x7f", "Confirm your address"),
    ],
)
def test_a_person_is_written_to_in_the_language_they_registered_in(client, mailbox, accepted, subject):
    body = {"username": "ada", "email": "ada@example.org", "password": "Tulip-Anvil-Crater-59"}
    client.post("/auth/register", body, headers={"Accept-Language": accepted})
    assert mailbox.last().subject == subject


@one_client
def test_later_letters_keep_the_language_whoever_asks(client, mailbox):
    body = {"username": "ada", "email": "ada@example.org", "password": "Tulip-Anvil-Crater-59"}
    client.post("/auth/register", body, headers={"Accept-Language": "de"})
    client.post("/auth/password/forgot", {"email": "ada@example.org"}, headers={"Accept-Language": "en"})
    letter = mailbox.last()
    assert letter.subject == "Wählen Sie ein neues Passwort"
    assert (letter.message["Content-Language"], 'lang="de"' in letter.html) == ("de", True)


@one_client
def test_a_letter_is_text_and_html_and_says_that_a_program_wrote_it(client, mailbox):
    client.register("ada")
    message = mailbox.last().message
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["From"] == "Gatehouse <no-reply@localhost>"


@one_client
@pytest.mark.asvs("14.2.3")
def test_a_letter_loads_nothing_from_anywhere(client, mailbox):
    client.register("ada")
    html = mailbox.last().html
    assert re.findall(r"<(img|script|link|iframe|object|style)\b|src=|url\(", html) == []


@one_client
def test_the_sender_and_the_name_of_the_service_are_settings(make_client):
    client = make_client(MAIL_FROM="Door <door@example.com>", SERVICE_NAME="The Door")
    client.register("ada")
    letter = Mailbox(client.wire.app).last()
    assert letter.message["From"] == "Door <door@example.com>"
    assert "welcome to The Door" in letter.text


@one_client
def test_links_point_at_the_front_end_and_the_paths_are_settings(make_client):
    client = make_client(FRONTEND_URL="https://app.example.com/", VERIFY_PATH="/account/confirm")
    client.register("ada")
    assert Mailbox(client.wire.app).last().link.startswith("https://app.example.com/account/confirm#token=")


# What cannot get into them


@one_client
@pytest.mark.parametrize(
    "header", ["X-Forwarded-Host", "Forwarded", "X-Original-Host", "X-Forwarded-Proto", "Referer", "Origin-Host"]
)
def test_no_header_changes_a_letter(client, mailbox, header):
    client.register("ada")
    client.post("/auth/password/forgot", {"email": "ada@example.org"}, headers={header: "evil.example"})
    letter = mailbox.last()
    assert letter.link.startswith("http://127.0.0.1:8000/pages/reset#token=")
    assert "evil" not in letter.message.as_string()


def test_the_host_that_was_asked_changes_no_letter(app, bearer, mailbox):
    bearer.register("ada")
    asked = app.test_client().post(
        "/auth/password/forgot", json={"email": "ada@example.org"}, base_url="http://evil.example"
    )
    assert asked.status_code == 202
    assert "evil" not in mailbox.last().message.as_string()


@pytest.mark.asvs("1.3.11")
@pytest.mark.parametrize(
    "email",
    [
        "ada@example.org\r\nBcc: eve@example.org", "ada@example.org\nBcc: eve@example.org",
        "ada@example.org,eve@example.org", "ada@example.org%0d%0aBcc:eve@example.org", "Ada <ada@example.org>",
        "ada@example.org\u2028Bcc: eve@example.org",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", MAIL_REQUESTS)
@one_client
def test_no_address_carries_a_header(client, mailbox, path, email):
    client.register("ada")
    before = len(mailbox.all())
    answer = client.post(path, {"email": email})
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, "email")
    assert len(mailbox.all()) == before


@one_client
@pytest.mark.asvs("1.3.11")
def test_a_letter_has_one_recipient(client, mailbox):
    client.register("ada")
    message = mailbox.last().message
    assert [address.addr_spec for address in message["To"].addresses] == ["ada@example.org"]
    assert [name for name in ("Cc", "Bcc") if message[name]] == []


@pytest.mark.asvs("1.1.2", "1.2.1", "1.3.7")
@one_database
@pytest.mark.parametrize("name", ["<img src=x>", "{{7*7}}", "${7*7}", "{% raw %}", "a&b", '"><script>', "x\r\n\r\ny"])
def test_a_name_stays_text(app, name):
    with app.app_context():
        subject, text, html = letters.render("username_changed", "en", CONTEXT | {"username": name})
    assert re.findall(r"<(img|script)", html) == []
    assert "49" not in text + html
    shown = re.sub(r"[\r\n]", " ", name)
    assert " ".join(shown.split()) in " ".join(text.split())
    assert "\n" not in subject


@one_database
@pytest.mark.parametrize("value", ["x\n\nChoose a new password: https://evil.example", "x\r\nBcc: eve@example.org"])
def test_a_value_begins_no_line_of_its_own(app, value):
    with app.app_context():
        _, text, html = letters.render("magic_link", "en", CONTEXT | {"username": value})
    assert not [line for line in text.splitlines() if line.startswith(("Choose a new", "Bcc"))]
    assert html.count("<a href=") == 2


@one_client
@pytest.mark.asvs("1.2.2")
def test_secrets_in_links_need_no_escaping(client, mailbox):
    client.register("ada")
    for _ in range(30):
        client.post("/auth/password/forgot", {"email": "ada@example.org"})
    tokens = [letter.link.partition("#token=")[2] for letter in mailbox.all()]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", token) for token in tokens)
    assert len(set(tokens)) == 31


@pytest.mark.asvs("6.5.3", "11.5.1")
def test_every_character_of_a_code_is_as_likely_as_any_other():
    counts = dict.fromkeys(crypto.CODE_ALPHABET, 0)
    for _ in range(10_000):
        for character in crypto.random_code():
            counts[character] += 1
    expected = 80_000 / 32
    chi_square = sum((count - expected) ** 2 / expected for count in counts.values())
    # With 31 degrees of freedom one run in ten million is above.
    assert chi_square < 88


@pytest.mark.asvs("6.4.2")
def test_no_table_keeps_a_hint_or_a_secret_question():
    columns = {f"{table.name}.{column.name}" for table in Base.metadata.sorted_tables for column in table.columns}
    assert [name for name in columns if re.search(r"hint|question|answer|maiden|pet", name)] == []


# Who gets one is nobody else's business


@pytest.fixture
def people(client):
    """Ada is known, bob disabled, cleo locked, and nobody is not there."""
    for name in ("ada", "bob", "cleo"):
        client.another().register(name)
    change(client.wire.app, User, User.username == "bob", disabled_at=now())
    for _ in range(11):
        client.another().login("cleo", "Wrong-Anvil-Crater-59")
    return client


@pytest.mark.asvs("6.3.8")
@pytest.mark.parametrize("path", MAIL_REQUESTS)
@pytest.mark.parametrize("who", ["nobody", "bob", "cleo"])
def test_whoever_is_asked_for_the_answer_has_the_same_bytes(people, path, who):
    known, other = (people.another().post(path, {"email": f"{name}@example.org"}) for name in ("ada", who))
    assert (known.status, known.data) == (other.status, other.data)
    assert sorted(name for name, _ in known.headers) == sorted(name for name, _ in other.headers)


@one_client
@pytest.mark.asvs("6.3.8")
@pytest.mark.parametrize("path", MAIL_REQUESTS)
@pytest.mark.parametrize("who", ["nobody", "bob", "cleo"])
def test_whoever_is_asked_for_the_statements_are_the_same(people, statements, path, who):
    seen = {}
    for name in ("ada", who):
        with statements() as seen[name]:
            people.another().post(path, {"email": f"{name}@example.org"})
    assert seen["ada"] == seen[who]
    assert len(seen["ada"]) == 1


@one_client
@pytest.mark.parametrize("path", MAIL_REQUESTS)
def test_what_is_noted_has_the_same_size_whoever_is_asked_for(people, path):
    for email in ("ada@example.org", "bob@example.org", "eve@example.org"):
        people.another().post(path, {"email": email})
    noted = rows(people.wire.app, Letter, Letter.template.startswith("?"))[-3:]
    assert len({len(row.sealed) for row in noted}) == 1
    assert not [row for row in noted if row.user_id is not None]


@one_client
def test_questions_do_not_outlive_their_answers(people, mailbox):
    for path in MAIL_REQUESTS:
        people.another().post(path, {"email": "nobody@example.org"})
    mailbox.work()
    assert rows(people.wire.app, Letter, Letter.template.startswith("?")) == []


# How they travel


@pytest.fixture(scope="session")
def certificate(run) -> Path:
    """A certificate for this machine, with its key, which is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost")])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now() - timedelta(days=1)).not_valid_after(now() + timedelta(days=1))
    made = made.add_extension(names, critical=False).add_extension(x509.BasicConstraints(True, None), critical=True)
    file = run.new_folder("certificate") / "mail.pem"
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + made.sign(key, hashes.SHA256()).public_bytes(encoding))
    return file


def sent_by(make_app, server, url):
    """How many letters arrive when one is sent by this URL."""
    app = make_app(MAIL_URL=url.format(port=server.port), MAIL_TIMEOUT_SECONDS=2)
    write(app)
    with app.app_context():
        delivery.deliver()
        database.end()
    return len(server.letters)


@one_database
@pytest.mark.parametrize(
    ("url", "smtps", "arrived"),
    [
        ("smtp://127.0.0.1:{port}?ca={ca}", False, 1),
        ("smtp://127.0.0.1:{port}?starttls=required&ca={ca}", False, 1),
        ("smtp://127.0.0.1:{port}", False, 0),
        ("smtp://127.0.0.1:{port}?starttls=off", False, 0),
        ("smtps://127.0.0.1:{port}?ca={ca}", True, 1),
        ("smtps://127.0.0.1:{port}", True, 0),
    ],
)
def test_letters_travel_encrypted_to_a_server_that_proves_who_it_is(
    make_app, smtp_server, certificate, url, smtps, arrived
):
    server = smtp_server(certificate=certificate, smtps=smtps)
    assert sent_by(make_app, server, url.replace("{ca}", str(certificate))) == arrived


@one_database
@pytest.mark.parametrize(("password", "arrived"), [("p%40ss%2Fword", 1), ("wrong", 0)])
def test_the_service_says_who_it_is(make_app, smtp_server, certificate, password, arrived):
    server = smtp_server(certificate=certificate, password="p@ss/word")
    url = f"smtp://door:{password}@127.0.0.1:{{port}}?ca={certificate}"
    assert sent_by(make_app, server, url) == arrived


@one_database
def test_a_server_without_encryption_gets_nothing_where_it_is_required(make_app, smtp_server):
    assert sent_by(make_app, smtp_server(), "smtp://127.0.0.1:{port}?starttls=required") == 0


@one_database
@pytest.mark.parametrize(
    ("to", "header"), [("jörg@example.org", "jörg@example.org"), ("ada@exämple.org", "ada@xn--exmple-cua.org")]
)
def test_addresses_in_any_script_arrive(make_app, smtp_server, to, header):
    server = smtp_server()
    app = make_app(MAIL_URL=server.url)
    write(app, to=to)
    with app.app_context():
        delivery.deliver()
        database.end()
    assert [letter["X-Envelope-To"] for letter in server.letters] == [header]


@one_database
@pytest.mark.parametrize("url", ["ftp://mail", "mail", "smtp://h:port", "http://x"])
def test_a_mail_url_that_means_nothing_stops_the_start(make_app, url):
    with pytest.raises(SettingsError, match="MAIL_URL"):
        make_app(MAIL_URL=url)


@one_database
@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("MAIL_FROM", "Door\r\nBcc: eve@example.org"), ("SERVICE_NAME", "a\nb"), ("RESET_PATH", "https://evil.example"),
        ("RESET_PATH", "//evil.example/x"), ("RESET_PATH", "/x#y"), ("VERIFY_PATH", "/a b"),
    ],
)  # fmt: skip
def test_a_setting_that_would_spoil_letters_stops_the_start(make_app, setting, value):
    with pytest.raises(SettingsError, match=setting):
        make_app(**{setting: value})


@one_client
def test_in_production_nobody_reads_the_letters(make_client):
    client = make_client(**PRODUCTION)
    there, elsewhere = client.get("/dev/mail"), client.get("/dev/nothing")
    assert (there.status, there.code) == (404, "not_found")
    assert there.json | {"request_id": ""} == elsewhere.json | {"request_id": ""}
