"""The audit trail: written with the request, sealed into a chain, and no change of it goes unseen."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from auth import audit, database
from models import AuditEvent, AuditHead, db
from tests.support.clients import PASSWORD


@pytest.fixture
def trail(app, bearer) -> Any:
    """Five people have registered and signed in, and the chain is sealed."""
    for name in ("ada", "bea", "cleo", "dora", "eve"):
        bearer.another().signed_in(name)
    with app.app_context():
        assert audit.seal() == 10
        yield audit
        database.end()


def _faults() -> list[str]:
    database.end()
    return list(audit.verify())


def _change(statement: Any) -> None:
    with database.apart():
        database.execute(statement)


@pytest.mark.asvs("16.4.2")
def test_an_untouched_trail_is_whole(trail):
    assert _faults() == []


@pytest.mark.asvs("16.4.2")
@pytest.mark.parametrize(
    "values", [{"name": "login.failed"}, {"user_id": 99}, {"ip": "10.0.0.9"}, {"data": {"amr": []}}]
)
def test_a_changed_row_is_found(trail, values):
    _change(update(AuditEvent).where(AuditEvent.position == 4).values(**values))
    assert _faults() == ["row 4 was changed"]


@pytest.mark.asvs("16.4.2")
def test_a_removed_row_is_found(trail):
    _change(delete(AuditEvent).where(AuditEvent.position == 4))
    assert _faults() == ["rows 4 to 4 are gone"]


def test_a_cut_off_end_is_found(trail):
    _change(delete(AuditEvent).where(AuditEvent.position > 7))
    assert _faults() == ["the chain ends at row 7, and 10 were sealed"]


def test_a_head_written_by_another_hand_is_found(trail):
    _change(delete(AuditEvent).where(AuditEvent.position == 10))
    row = database.execute(select(AuditEvent.__table__).where(AuditEvent.position == 9)).one()
    _change(update(AuditHead).values(last_position=9, last_hash=row.hash))
    assert _faults() == ["the head of the chain was changed"]


def test_a_row_whose_hash_was_made_without_the_key_is_found(trail):
    _change(update(AuditEvent).where(AuditEvent.position == 10).values(name="login.failed", hash="0" * 64))
    assert "row 10 was changed" in _faults()


def test_a_row_that_nobody_sealed_behind_the_end_is_found(trail):
    row = database.execute(select(AuditEvent.__table__).where(AuditEvent.position == 10)).one()
    _change(insert(AuditEvent).values({**row._mapping, "id": row.id + 1, "position": 11}))
    assert _faults() == ["the chain ends at row 11, and 10 were sealed"]


def test_a_head_that_lags_behind_its_rows_is_found(trail, bearer):
    head = dict(database.execute(select(AuditHead.__table__)).mappings().one())
    database.end()
    bearer.login("ada")
    trail.seal()
    _change(update(AuditHead).values(head))
    assert _faults() == ["the chain ends at row 11, and 10 were sealed"]


@pytest.fixture
def meanwhile(trail, monkeypatch) -> Any:
    """meanwhile(act): it is done once, after the first batch of a reading."""
    in_batches = audit._in_order

    def arrange(act: Any) -> None:
        acts = [act]

        def with_a_pause(*bounds: int) -> Any:
            for number, row in enumerate(in_batches(*bounds), 1):
                yield row
                if number == audit.BATCH and acts:
                    acts.pop()()

        monkeypatch.setattr(audit, "BATCH", 4)
        monkeypatch.setattr(audit, "_in_order", with_a_pause)

    return arrange


def test_what_is_sealed_during_the_reading_is_no_fault(trail, bearer, meanwhile):
    def go_on() -> None:
        bearer.login("ada")
        assert audit.seal() == 1

    meanwhile(go_on)
    assert _faults() == []


def test_what_is_purged_during_the_reading_is_no_gap(trail, clock, meanwhile):
    def go_on() -> None:
        clock.shift(401 * 86400)
        assert [audit.purge(), audit.purge()] == [4, 4]

    meanwhile(go_on)
    assert _faults() == []


def test_a_gap_is_found_although_something_is_purged_during_the_reading(trail, clock, meanwhile):
    _change(delete(AuditEvent).where(AuditEvent.position == 9))

    def go_on() -> None:
        clock.shift(401 * 86400)
        assert [audit.purge(), audit.purge()] == [4, 4]

    meanwhile(go_on)
    assert _faults() == ["rows 9 to 9 are gone"]


def test_the_origin_of_a_deleted_person_can_be_blanked(trail, bearer):
    bearer.login("bea")
    assert bearer.delete("/auth/me", {"password": PASSWORD}).status == 204
    trail.seal()
    gone = database.execute(select(AuditEvent.user_id).where(AuditEvent.name == "account.deleted")).scalar_one()
    blank = select(AuditEvent.id).where(AuditEvent.user_id == gone, AuditEvent.ip.is_(None))
    assert len(database.execute(blank).all()) == 5
    assert _faults() == []


@pytest.mark.asvs("16.4.2")
def test_a_blanked_origin_of_somebody_who_is_there_is_found(trail):
    _change(update(AuditEvent).where(AuditEvent.position.in_((3, 4))).values(ip=None, user_agent=None))
    assert _faults() == ["row 3 was changed", "row 4 was changed"]


@pytest.mark.asvs("16.4.2")
def test_a_deletion_that_somebody_wrote_into_the_trail_hides_no_blanked_origin(trail):
    row = database.execute(select(AuditEvent.__table__).where(AuditEvent.position == 4)).one()
    told = {"at": row.at, "name": "account.deleted", "user_id": row.user_id, "data": {}}
    _change(insert(AuditEvent).values(told))
    trail.seal()
    _change(update(AuditEvent).where(AuditEvent.position == 4).values(ip=None, user_agent=None))
    assert _faults() == ["row 4 was changed"]


def test_sealers_take_turns(app, client, race):
    for number in range(20):
        client.another().register(username=f"person{number}", email=f"p{number}@example.com", password=PASSWORD)

    def seal(_number: int) -> int:
        with app.app_context():
            return audit.seal()

    assert sum(race(8, seal)) == 20
    with app.app_context():
        assert _faults() == []


@pytest.mark.asvs("14.2.7")
def test_old_rows_are_removed_and_the_rest_stays_whole(app, bearer, clock):
    bearer.another().signed_in("ada")
    with app.app_context():
        audit.seal()
        clock.shift(401 * 86400)
        bearer.another().signed_in("bea")
        audit.seal()
        assert audit.purge() == 2
        assert _faults() == []
        assert database.execute(select(db.func.count()).select_from(AuditEvent)).scalar_one() == 2
        database.end()


@pytest.mark.asvs("16.4.2")
def test_a_row_whose_time_was_set_back_is_not_purged_and_takes_none_with_it(trail):
    _change(update(AuditEvent).where(AuditEvent.position == 5).values(at=datetime(2000, 1, 1, tzinfo=UTC)))
    assert audit.purge() == 0
    assert _faults() == ["row 5 was changed"]


@pytest.mark.asvs("16.4.2")
def test_the_command_finds_a_change(trail, app):
    runner = app.test_cli_runner()
    assert runner.invoke(args=["audit", "verify"]).output.startswith("the audit trail is whole\n")
    _change(update(AuditEvent).where(AuditEvent.position == 2).values(name="login.failed"))
    found = runner.invoke(args=["audit", "verify"])
    assert (found.exit_code, found.output) == (1, "row 2 was changed\n")


@pytest.fixture
def verified(trail, app) -> Any:
    """verified(row): what `flask audit verify` prints, given what an earlier run has printed, and its exit code."""

    def run(seen: str | None = None) -> tuple[int, list[str]]:
        given = ["--seen", seen] if seen else []
        ended = app.test_cli_runner().invoke(args=["audit", "verify", *given])
        return ended.exit_code, ended.output.splitlines()

    return run


def _last_seen(printed: tuple[int, list[str]]) -> str:
    return printed[1][-1].removeprefix("seen ")


def test_the_command_prints_the_last_row_that_it_saw(verified):
    row = database.execute(select(AuditEvent.__table__).where(AuditEvent.position == 10)).one()
    assert verified() == (0, ["the audit trail is whole", f"seen 10:{row.hash}"])


def test_the_command_logs_the_last_row_that_it_saw(verified, monkeypatch):
    logged = []
    monkeypatch.setattr("auth.commands.log.info", lambda event, extra: logged.append((event, extra)))
    position, known = _last_seen(verified()).split(":")
    assert logged == [("audit.verified", {"position": int(position), "hash": known})]


@pytest.mark.parametrize("since", [0, 1, 3], ids=["nothing since", "fewer since", "more since"])
def test_a_trail_that_was_put_back_is_found_by_what_was_seen_before(verified, bearer, since):
    head = dict(database.execute(select(AuditHead.__table__)).mappings().one())
    database.end()
    for _ in range(2):
        bearer.login("ada", "Wrong-Anvil-Crater-59")
    seen = _last_seen(verified())
    _change(delete(AuditEvent).where(AuditEvent.position > 10))
    _change(update(AuditHead).values(head))
    for _ in range(since):
        bearer.another().login("bea")
    assert verified(seen) == (1, ["row 12 is not there as it was seen: the trail was put back"])


def test_a_trail_that_was_emptied_is_found_by_what_was_seen_before(verified):
    seen = _last_seen(verified())
    _change(delete(AuditEvent))
    _change(delete(AuditHead))
    assert verified(seen) == (1, ["the head of the chain is gone"])


def test_a_trail_that_went_on_holds_what_was_seen_before(verified, bearer):
    seen = _last_seen(verified())
    bearer.login("ada")
    assert verified(seen)[0] == 0


def test_a_row_that_was_seen_may_be_purged_since(verified, bearer, clock):
    seen = _last_seen(verified())
    bearer.login("ada")
    audit.seal()
    clock.shift(401 * 86400)
    assert audit.purge() == 11
    bearer.login("ada")
    code, printed = verified(seen)
    assert (code, printed[1:-1]) == (0, ["row 10 was purged since it was seen"])


def test_the_last_row_that_was_purged_is_still_known(verified, clock):
    seen = _last_seen(verified())
    clock.shift(401 * 86400)
    assert audit.purge() == 10
    other = "10:" + "0" * 64
    assert (verified(seen)[0], verified(other)[0]) == (0, 1)


@pytest.mark.parametrize("seen", ["10", "10:abc", ":" + "0" * 64, "-1:" + "0" * 64])
def test_what_no_run_has_printed_is_refused(verified, seen):
    assert verified(seen)[0] == 2
