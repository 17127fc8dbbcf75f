"""Letters leave the outbox: none is lost and none leaves twice, whatever the mail server and the workers do."""

import socketserver
import sys
import threading
import time
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from auth import database, mail, users
from auth.connectors import post as connector
from auth.mail import outbox
from auth.worker import Worker, delivery
from config import Settings
from models import AuditEvent, Letter, now
from tests.support import application
from tests.support.clients import PASSWORD
from tests.support.faults import failing_write
from tests.support.mailbox import Mailbox
from tests.support.mailed import NEW_PASSWORD
from tests.support.marks import one_client
from tests.support.processes import Program, clean_environment, wait_until
from tests.support.run import ROOT
from tests.support.tables import bad_plans, change, rows


@pytest.fixture
def post(make_app, smtp_server):
    """An application and the mail server that its letters leave by."""
    server = smtp_server()
    return make_app(MAIL_URL=server.url), server


def write(app, number=1):
    with app.app_context(), database.apart():
        for count in range(number):
            mail.send("account_deleted", f"person{count}@example.org", "en", username=f"person{count}")


def deliver(app, times=1):
    with app.app_context():
        for _ in range(times):
            delivery.deliver()
        database.end()


def retry(app):
    """The pauses of all letters that wait are over."""
    change(app, Letter, Letter.claim.is_(None), Letter.delivered_at.is_(None), due_at=now())


def letters(app):
    return rows(app, Letter)


def test_a_thousand_letters_leave_once_through_every_kind_of_trouble(post, make_app):
    app, server = post
    write(app, 1000)
    impatient = make_app(MAIL_URL=server.url, MAIL_TIMEOUT_SECONDS=0.3)
    server.refusal = "451 later"
    deliver(impatient, 5)
    server.refusal, server.hang_up = None, True
    deliver(impatient, 5)
    server.hang_up, server.seconds = False, 5
    deliver(impatient)
    server.seconds = 0
    server.stop()
    deliver(impatient, 5)
    assert server.letters == []
    assert sum(letter.attempts for letter in letters(app)) == 160
    server.start()
    retry(app)
    done = threading.Event()
    workers = [threading.Thread(target=Worker(app).run, args=[lambda: not done.is_set()]) for _ in range(2)]
    for worker in workers:
        worker.start()
    arrived = server.wait_for(1000, seconds=300)
    done.set()
    for worker in workers:
        worker.join()
    deliver(app)
    assert len(server.letters) == len(arrived) == 1000
    assert len({letter["Message-ID"] for letter in server.letters}) == 1000
    assert Counter(letter["To"] for letter in server.letters).most_common(1)[0][1] == 1


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_claim_takes_no_more_than_a_batch_whatever_the_plan(app):
    write(app, 100)
    with bad_plans(app), app.app_context():
        assert len(outbox.claim(10)) == 10
        database.end()


def test_many_workers_claim_every_letter_once(app, race):
    write(app, 100)

    def claim(_number):
        with app.app_context():
            found = [row.id for _ in range(4) for row in outbox.claim(5)]
            database.end()
            return found

    claimed = [number for found in race(8, claim) for number in found]
    assert len(claimed) == len(set(claimed)) == 100


def test_what_a_killed_worker_had_claimed_is_due_again(app, clock):
    write(app)
    with app.app_context():
        (left,) = outbox.claim(1)
        assert outbox.claim(1) == []
        clock.shift(outbox.LEASE.total_seconds() + 1)
        (found,) = outbox.claim(1)
        assert (found.id, found.message_id) == (left.id, left.message_id)
        database.end()


def test_a_worker_that_comes_too_late_changes_nothing(app, clock):
    write(app)
    with app.app_context():
        (late,) = outbox.claim(1)
        clock.shift(outbox.LEASE.total_seconds() + 1)
        outbox.claim(1)
        with database.apart():
            outbox.failed(late, "too late", final=True)
    assert [letter.gave_up_at for letter in letters(app)] == [None]


def test_a_letter_leaves_once_although_the_store_is_away_just_after_it(post, clock):
    app, server = post
    write(app)
    # A claim begins with WITH, so the first write is the one that says that the letter has left.
    with failing_write(0) as failed:
        deliver(app)
    clock.shift(outbox.LEASE.total_seconds() + 1)
    deliver(app)
    assert len(failed) == len(server.letters) == 1


@pytest.fixture
def tries(monkeypatch, clock):
    """The store is away whenever a letter has left; each try takes a second, and its moment is kept."""
    moments = []

    def try_in_vain(_row):
        clock.shift(1)
        moments.append(now())
        raise OperationalError("UPDATE", None, ConnectionError("the database is gone"))

    monkeypatch.setattr(delivery, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(outbox, "delivered", try_in_vain)
    return moments


def test_what_cannot_be_written_down_is_given_up_with_the_claim(app, tries):
    write(app)
    began = now()
    with pytest.raises(OperationalError):
        deliver(app)
    assert outbox.LEASE <= tries[-1] - began < outbox.LEASE + timedelta(seconds=5)


def test_a_worker_that_is_told_to_end_is_soon_done_although_the_store_is_away(app, tries):
    write(app)
    Worker(app).run(lambda: not tries)
    assert timedelta(seconds=2) <= tries[-1] - tries[0] < timedelta(seconds=6)


def test_a_worker_that_is_told_to_end_leaves_the_rest_of_its_batch_to_others(post):
    app, server = post
    write(app, 5)
    Worker(app).run(lambda: not server.letters)
    assert len(server.letters) == 1
    assert len([letter for letter in letters(app) if letter.claim is None and letter.delivered_at is None]) == 4


def test_the_claim_is_longer_than_any_delivery_may_take():
    (longest,) = [bound.le for bound in Settings.model_fields["mail_timeout_seconds"].metadata if hasattr(bound, "le")]
    # The last thing that is said of a letter in time is still answered, and TLS agreed upon after it.
    slowest = connector.LETTER_SECONDS + 3 * longest
    assert delivery.BATCH_SECONDS + slowest < outbox.LEASE.total_seconds()


class Dripping(socketserver.StreamRequestHandler):
    """A mail server that answers byte by byte."""

    def handle(self):
        self.say(b"220 here\r\n")
        while line := self.rfile.readline():
            if line.upper().startswith(b"DATA"):
                self.say(b"354 go\r\n")
                self.server.letters.append(list(iter(self.rfile.readline, b".\r\n")))
            self.say(b"250 fine\r\n")

    def say(self, answer):
        for byte in answer:
            time.sleep(self.server.pause)
            self.wfile.write(bytes([byte]))

    def finish(self):
        """Whoever hangs up on it has had enough."""


class DrippingServer(socketserver.ThreadingTCPServer):
    def __init__(self):
        self.letters = []
        self.pause = 0.03
        super().__init__(("127.0.0.1", 0), Dripping)

    @property
    def url(self):
        return f"smtp://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        """The client has hung up."""


@pytest.fixture
def dripping():
    """A server whose every answer takes a third of a second, and no byte a tenth of that."""
    with DrippingServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_an_answer_that_drips_is_waited_for_no_longer_than_any_other(make_app, dripping):
    app = make_app(MAIL_URL=dripping.url, MAIL_TIMEOUT_SECONDS=0.15)
    write(app)
    deliver(app)
    assert dripping.letters == []
    assert letters(app)[0].attempts == 1


def test_a_letter_ends_in_time_however_many_slow_answers_it_needs(make_app, dripping, monkeypatch):
    monkeypatch.setattr(connector, "LETTER_SECONDS", 0.8)
    app = make_app(MAIL_URL=dripping.url)
    write(app)
    deliver(app)
    assert dripping.letters == []
    assert letters(app)[0].attempts == 1


def test_a_server_that_is_slow_and_in_time_gets_the_letter(make_app, dripping):
    app = make_app(MAIL_URL=dripping.url, MAIL_TIMEOUT_SECONDS=5)
    write(app)
    deliver(app)
    assert len(dripping.letters) == 1
    assert letters(app)[0].delivered_at is not None


def test_the_pauses_grow_up_to_an_hour(post):
    app, server = post
    server.refusal = "451 later"
    write(app)
    for attempt in range(1, 14):
        before = now()
        deliver(app)
        after = now()
        due, usual = letters(app)[0].due_at, timedelta(seconds=min(2**attempt, outbox.LONGEST_PAUSE_SECONDS))
        assert before + 0.75 * usual <= due <= after + 1.25 * usual
        retry(app)


def test_after_a_day_a_letter_is_given_up_with_an_event_and_a_metric(post, clock):
    app, server = post
    server.refusal = "451 later"
    write(app)
    deliver(app)
    before = _given_up(app)
    clock.shift(86401)
    deliver(app)
    (letter,) = letters(app)
    assert (letter.delivered_at, letter.sealed) == (None, None)
    assert letter.gave_up_at is not None
    assert [event.data["reason"] for event in rows(app, AuditEvent)] == ["SMTPDataError 451"]
    assert _given_up(app) == before + 1
    server.refusal = None
    clock.shift(3600)
    deliver(app)
    assert server.letters == []


def _given_up(app):
    text = app.test_client().get("/metrics").text
    lines = [line for line in text.splitlines() if line.startswith('gatehouse_letters_total{outcome="given up"}')]
    return float(lines[0].rpartition(" ")[2]) if lines else 0.0


def test_a_recipient_that_is_refused_for_good_is_given_up_at_once(post):
    app, server = post
    server.recipient_refusal = "550 nobody here"
    write(app)
    deliver(app)
    assert letters(app)[0].gave_up_at is not None


def test_a_recipient_that_is_refused_for_now_is_tried_again(post):
    app, server = post
    server.recipient_refusal = "450 come back"
    write(app)
    deliver(app)
    server.recipient_refusal = None
    retry(app)
    deliver(app)
    assert len(server.letters) == 1


def test_one_bad_letter_holds_up_no_other(post):
    app, server = post
    write(app, 3)
    change(app, Letter, Letter.id == letters(app)[0].id, sealed=b"not what it was")
    deliver(app)
    assert [letter["To"] for letter in server.letters] == ["person1@example.org", "person2@example.org"]
    assert letters(app)[0].gave_up_at is not None


def test_a_question_whose_answer_fails_holds_up_no_other(client, mailbox, monkeypatch):
    client.register("ada")

    def fail(_email):
        raise IntegrityError("INSERT", None, ValueError("no such person"))

    with monkeypatch.context() as patch:
        patch.setattr(users, "find_by_email", fail)
        write(client.wire.app)
        assert [letter.to for letter in mailbox.all()] == ["person0@example.org"]
    retry(client.wire.app)
    assert [letter.to for letter in mailbox.all()] == ["person0@example.org", "ada@example.org"]


def test_no_event_and_no_log_repeats_what_the_server_said(post, caplog):
    app, server = post
    server.recipient_refusal = "550 person0@example.org is unknown"
    write(app)
    deliver(app)
    assert "person0" not in repr(rows(app, AuditEvent))
    assert "person0" not in caplog.text


def test_what_a_letter_says_is_encrypted_until_it_leaves_and_gone_after_it(post):
    app, server = post
    write(app)
    assert b"person0" not in letters(app)[0].sealed
    deliver(app)
    assert letters(app)[0].sealed is None
    assert "person0" in server.letters[0]["To"]


def test_a_letter_exists_if_and_only_if_the_request_is_committed(client, mailbox):
    assert client.register("ada").status == 201
    assert client.register("ada").status == 409
    assert len(mailbox.all()) == 1


@pytest.mark.parametrize("client_kind", ["bearer"], indirect=True)
def test_a_folder_never_holds_a_letter_twice(make_client, tmp_path):
    client = make_client(MAIL_URL=f"file://{tmp_path}")
    client.register("ada")
    app = client.wire.app
    Mailbox(app).work()
    before = letters(app)[-1]
    assert len(list(tmp_path.glob("*.eml"))) == 1
    assert before.delivered_at is not None


def test_kill_between_commit_and_delivery_loses_no_letter(live_server, smtp_server, run):
    mail_server = smtp_server()
    mail_server.stop()
    server = live_server(MAIL_URL=mail_server.url)
    for number in range(20):
        assert server.client().register(f"person{number}").status == 201
    server.kill()
    app = application.new(server.database, run.new_folder("instance"))
    # What the killed workers had claimed is due again when their claims have ended, which need not be waited for here.
    change(app, Letter, Letter.delivered_at.is_(None), due_at=now())
    application.close(app)
    mail_server.start()
    server.start()
    arrived = mail_server.wait_for(20, seconds=60)
    assert {letter["To"] for letter in arrived} == {f"person{number}@example.org" for number in range(20)}
    assert len(mail_server.letters) == 20


def test_the_command_delivers_what_is_due(make_app, tmp_path):
    app = make_app(MAIL_URL=f"file://{tmp_path}")
    write(app, 3)
    done = app.test_cli_runner().invoke(args=["mail", "deliver", "--once"])
    assert done.exit_code == 0, done.output
    assert len(list(tmp_path.glob("*.eml"))) == 3


@one_client
def test_the_command_delivers_the_notice_of_what_has_just_happened(client, mailbox):
    client.signed_in("ada")
    mailbox.work()
    client.post("/auth/password/change", {"current_password": PASSWORD, "new_password": NEW_PASSWORD})
    done = client.wire.app.test_cli_runner().invoke(args=["mail", "deliver", "--once"])
    assert done.exit_code == 0, done.output
    last = letters(client.wire.app)[-1]
    assert last.template == "password_changed"
    assert last.delivered_at is not None


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_process_of_its_own_delivers_until_it_is_told_to_end(make_app, database, run, tmp_path):
    write(make_app(), 3)
    program = Program(
        [sys.executable, "-m", "flask", "--app", "app", "mail", "deliver"],
        register=run.register,
        log=tmp_path / "log",
        env=clean_environment(
            DATABASE_URL=database.url,
            INSTANCE_PATH=tmp_path,
            MAIL_URL=f"file://{tmp_path}/mail",
            SECRET_KEY=application.SETTINGS["SECRET_KEY"],
        ),
        cwd=ROOT,
    )
    wait_until(lambda: len(list((tmp_path / "mail").glob("*.eml"))) == 3, "the letters leave", 60)
    assert program.stop() == 0, program.log


def test_the_background_worker_of_the_service_delivers(live_server, tmp_path):
    server = live_server(MAIL_URL=f"file://{tmp_path}")
    server.client().register("ada")
    wait_until(lambda: list(tmp_path.glob("*.eml")), "a letter arrives", 30)
