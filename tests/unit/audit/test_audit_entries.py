"""What an entry may say, and how the chain of entries is checked."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from libs.audit.entry import (
    AuditEntry,
    UnreadableEntry,
    decode,
    encode,
    network_of,
    shard_of,
    subject_of,
)
from libs.audit.verify import AuditCheck, AuditFinding
from libs.events.chain import GENESIS, PREVIOUS, hash_of

NOW = datetime(2026, 3, 9, 14, 5, tzinfo=UTC)
Message = tuple[int, str, dict[str, str], bytes]


def an_entry(number: int = 0) -> AuditEntry:
    return AuditEntry(
        action="lead.read", actor="account:a1", target=f"lead:{number}", details={"n": number}
    )


def a_chain(count: int, *, first: int = 1) -> list[Message]:
    link, messages = GENESIS, []
    for position in range(1, first + count):
        entry = an_entry(position)
        headers = {PREVIOUS: link, "Nats-Msg-Id": str(position)}
        payload = encode(entry, UUID(int=position), NOW)
        link = hash_of(subject_of(entry), headers, payload)
        messages.append((position, subject_of(entry), headers, payload))
    return messages[first - 1 :]


def findings(messages: list[Message], last: int, *, expires: bool = False) -> list[AuditFinding]:
    check = AuditCheck(expires=expires)
    found = [finding for message in messages for finding in check.take(*message)]
    return found + list(check.end(last))


def test_a_whole_chain_has_no_findings() -> None:
    assert findings(a_chain(20), 20) == []


@given(st.integers(1, 19))
def test_a_changed_entry_is_named_by_the_one_after_it(position: int) -> None:
    chain = a_chain(20)
    number, subject, headers, payload = chain[position - 1]
    chain[position - 1] = (number, subject, headers, payload.replace(b"lead.read", b"lead.seen"))

    named = {finding.position for finding in findings(chain, 20)}

    assert position + 1 in named
    assert named <= {position, position + 1}


@given(st.integers(1, 20))
def test_a_missing_entry_is_named(position: int) -> None:
    chain = a_chain(20)
    del chain[position - 1]

    named = [finding.position for finding in findings(chain, 20)]

    assert named[0] == position


def test_an_entry_that_was_put_in_is_named() -> None:
    chain = a_chain(3)
    _, subject, headers, payload = a_chain(2)[1]
    chain.append((4, subject, headers, payload))

    assert [finding.position for finding in findings(chain, 4)] == [4]


def test_many_missing_entries_are_one_finding() -> None:
    [finding] = findings(a_chain(2), 1000)
    assert (finding.position, finding.text) == (3, "is missing, and so are all up to 1000")


def test_an_expiry_at_the_front_is_no_finding_if_the_operator_wants_it() -> None:
    chain = a_chain(5, first=11)

    assert findings(chain, 15, expires=True) == []
    assert findings(chain, 15)[0].position == 1
    assert findings([], 15, expires=True) == []


def test_a_rewritten_trail_has_another_digest() -> None:
    one, other = AuditCheck(), AuditCheck()
    for message in a_chain(3):
        assert list(one.take(*message)) == []
    for position, subject, headers, payload in a_chain(3):
        list(other.take(position, subject, headers, payload + b" "))
    assert one.digest != other.digest


def test_an_entry_can_be_read_back() -> None:
    entry = an_entry(3)
    read = decode(encode(entry, UUID(int=9), NOW), 7)

    assert (read.position, read.id, read.time) == (7, UUID(int=9), NOW)
    assert AuditEntry(**{name: getattr(read, name) for name in AuditEntry.model_fields}) == entry


def test_what_is_no_entry_is_not_repeated() -> None:
    with pytest.raises(UnreadableEntry) as error:
        decode(b'{"name": "Marked"}', 1)
    assert "Marked" not in str(error.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"actor": "lena@firm.example"},
        {"actor": "account:*"},
        {"target": "lead:a.b"},
        {"target": "lead:>"},
        {"action": "Read"},
        {"details": {"who": "lena@firm.example"}},
        {"details": {"who": "x" * 201}},
    ],
)
def test_nothing_that_names_a_person_or_breaks_a_subject_passes(fields: dict[str, object]) -> None:
    good: dict[str, object] = {"action": "lead.read", "actor": "account:a"}
    with pytest.raises(ValidationError):
        AuditEntry.model_validate(good | fields)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("unknown", None),
    ],
)
def test_only_the_network_of_an_address_is_kept(address: str, network: str | None) -> None:
    assert network_of(address) == network


def test_a_subject_holds_action_actor_and_a_shard_of_the_target() -> None:
    tokens = subject_of(an_entry()).split(".")

    assert tokens[:4] == ["audit", "lead", "read", "account:a1"]
    assert tokens[4] == shard_of("lead:0")
    assert len({shard_of(f"lead:{number}") for number in range(5000)}) == 256
    assert shard_of(None) == "-"
