"""The guard: who is let in to what, and what the others are told."""

from __future__ import annotations

from hashlib import sha256

import pytest
from rochallor.access import ALLOWED, ANYBODY, OPEN, Guard, Role, TokensFile, mint
from rochallor.access import tokens as tokens_module
from rochallor.core.errors import Forbidden, Unauthorized
from rochallor_proto import contract

BESIDE_THE_CONTRACT = {"getMetrics"}


@pytest.fixture
def guard(tokens_file, clock):
    return Guard(TokensFile(tokens_file, clock.now_ms).book, clock.now_ms)


def bearer(secret):
    return f"Bearer {secret}".encode()


def operations():
    paths = contract("openapi")["paths"]
    return {entry["operationId"]: (method, entry) for path in paths.values() for method, entry in path.items()}


def test_every_operation_has_its_row():
    """No operation of the contract is missing from the table, and no row is about an operation that is not there."""
    assert set(ALLOWED) | OPEN == set(operations()) | BESIDE_THE_CONTRACT
    assert not set(ALLOWED) & OPEN


def test_the_contract_says_which_operations_are_open():
    """Open is what the OpenAPI document marks as needing no token at all."""
    assert {name for name, (_, entry) in operations().items() if entry.get("security") == [{}]} == OPEN


def test_admin_may_everything_and_reader_only_look():
    """Every row has the admin; the reader's rows are exactly those that look."""
    assert all(Role.ADMIN in roles for roles in ALLOWED.values())
    looking = {name for name, (method, _) in operations().items() if method == "get"} - OPEN
    assert {name for name, roles in ALLOWED.items() if Role.READER in roles} == looking | BESIDE_THE_CONTRACT


def test_the_rpcs_of_one_row_are_for_the_same_roles():
    """Where one rpc is two REST operations, both are for the same roles."""
    for entry in contract("mapping")["rpcs"]:
        assert len({ALLOWED[operation] for operation in entry["operations"]}) == 1


@pytest.mark.parametrize("operation", sorted(ALLOWED))
@pytest.mark.parametrize("role", [role.value for role in Role])
def test_each_role_may_what_its_rows_say(guard, secrets, operation, role):
    """A token is admitted in its name, or refused with the roles that it would take."""
    if Role(role) in ALLOWED[operation]:
        assert guard.admit(operation, bearer(getattr(secrets, role))).name == role
    else:
        with pytest.raises(Forbidden, match=f"{operation} is not for the role {role} of '{role}'; it takes .* admin"):
            guard.admit(operation, bearer(getattr(secrets, role)))


def test_an_operation_without_a_row_is_for_nobody(guard, secrets):
    """What somebody forgot to put into the table is refused, even to an admin."""
    with pytest.raises(Forbidden, match="the role nobody"):
        guard.admit("dropEverything", bearer(secrets.admin))


@pytest.mark.parametrize("operation", sorted(OPEN))
def test_open_operations_need_no_token(guard, secrets, operation):
    """Probes and the contract are answered without a token, and with any."""
    assert guard.admit(operation, b"") is ANYBODY
    assert guard.admit(operation, bearer(secrets.stranger)) is ANYBODY


@pytest.mark.parametrize(
    ("authorization", "sentence"),
    [
        (b"", "asks for a token: send the header Authorization: Bearer <token>"),
        (b"Bearer", "must be: Bearer <token>"),
        (b"Bearer  ", "must be: Bearer <token>"),
        (b"Basic dTpw", "must be: Bearer <token>"),
        (b"Bearer " + b"x" * 513, "must be: Bearer <token>"),
        (b"Bearer \xff\x00", "does not know this token"),
        (bearer(mint(5)), "does not know this token"),
    ],
)
def test_without_a_known_token_nobody_gets_in(guard, authorization, sentence):
    """Each way of having none is told apart for who means well."""
    with pytest.raises(Unauthorized, match=sentence):
        guard.admit("getInstance", authorization)


def test_the_scheme_is_read_in_any_case(guard, secrets):
    """HTTP's schemes have no case (RFC 9110), and spaces around the token do not count."""
    assert guard.admit("getInstance", f"bEARER  {secrets.reader} ".encode()).name == "reader"


def test_a_token_ends_at_its_moment(guard, secrets, clock):
    """One millisecond before, it is admitted; at the moment itself it is refused, whatever it asks for."""
    ends_ms = 1_577_836_800_000
    clock.ms = ends_ms - 1
    assert guard.admit("getInstance", bearer(secrets.expired)).name == "expired"
    clock.ms = ends_ms
    with pytest.raises(Unauthorized, match="the token of 'expired' has expired"):
        guard.admit("getInstance", bearer(secrets.expired))


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_nearly_right_is_wrong(guard, secrets, cut):
    """A beginning of a token, or all but its last letter, is no token."""
    with pytest.raises(Unauthorized):
        guard.admit("getInstance", bearer(secrets.admin[:-cut]))


def test_digests_are_compared_in_constant_time(guard, secrets, monkeypatch):
    """What is compared is the digest of the whole guess, by the comparison that takes the same time for all."""
    compared = []

    def compare(one, other):
        compared.append((one, other))
        return one == other

    monkeypatch.setattr(tokens_module, "hmac", type("", (), {"compare_digest": staticmethod(compare)}))
    guard.admit("getInstance", bearer(secrets.reader))
    digest = sha256(secrets.reader.encode()).digest()
    assert compared == [(digest, digest)]


def test_tokens_are_all_chance():
    """Equal chance, equal token; every bit counts; no token is short enough to guess."""
    assert mint(1) == mint(1)
    assert mint(1) != mint(1 << 255)
    assert len({len(mint(bits)) for bits in (0, 1, (1 << 256) - 1)}) == 1
    assert len(mint(0)) == len("roch_") + 43
