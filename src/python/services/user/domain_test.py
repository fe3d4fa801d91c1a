from __future__ import annotations

import datetime as dt
import uuid

import pytest

from contracts.events.notification import WelcomeNotice
from contracts.events.user import UserRegistered, UserUpdated
from services.user import domain
from services.user.domain import (
    Failures,
    OwnAdminRole,
    PasswordWeak,
    RefreshToken,
    Role,
    SessionExpired,
    TokenReused,
    User,
)

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
ADA = User(uuid.uuid4(), "ada@example.com", "Ada", NOW)
SECRET, NEXT = b"a" * domain.SECRET_BYTES, b"b" * domain.SECRET_BYTES


def test_a_new_account_is_told_and_greeted() -> None:
    """USER_REGISTERED with revision 1, and WELCOME_NOTICE."""
    outcome = domain.register(ADA)
    assert outcome.events == (
        UserRegistered(user_id=ADA.id, email="ada@example.com", display_name="Ada", revision=1),
        WelcomeNotice(customer_id=ADA.id),
    )


def test_a_changed_profile_is_told_with_a_growing_revision() -> None:
    """So that late news is known as such."""
    first = domain.change_profile(ADA, display_name="Countess").user
    second = domain.change_profile(first, email="ada@example.org")
    assert second.events == (
        UserUpdated(user_id=ADA.id, email="ada@example.org", display_name="Countess", revision=3),
    )
    assert second.user.revision == 3


def test_a_profile_that_does_not_change_is_not_told() -> None:
    """A repetition of a change is no news."""
    assert domain.change_profile(ADA, display_name="Ada", email=ADA.email) == domain.Outcome(ADA)


def test_an_address_for_mail_is_the_same_in_any_case() -> None:
    """Two accounts whose addresses differ in case alone would be one person's."""
    assert domain.email_key("ADA@example.com") == domain.email_key("ada@Example.com")
    assert domain.email_digest("ADA@example.com") == domain.email_digest("ada@example.com")


@pytest.mark.parametrize("password", ["Ada@Example.com", "ada lovelace", "aaaaaaaaaaaaaaaa", "121212121212"])
def test_a_password_that_is_guessed_first_is_refused(password: str) -> None:
    """The e-mail address, the name, and a few characters over and over."""
    with pytest.raises(PasswordWeak):
        domain.check_password(password, email="ada@example.com", display_name="Ada Lovelace")


def test_roles_replace_those_before() -> None:
    """Named twice is named once."""
    given = domain.give_roles(ADA, [Role.SERVICE, Role.ADMIN, Role.ADMIN], by=uuid.uuid4())
    assert given.roles == (Role.ADMIN, Role.SERVICE)


def test_an_admin_keeps_the_role_unless_another_takes_it() -> None:
    """Or nobody might be left who can give it."""
    admin = domain.promote(ADA)
    assert admin.roles == (Role.ADMIN, Role.CUSTOMER)
    with pytest.raises(OwnAdminRole):
        domain.give_roles(admin, [Role.CUSTOMER], by=admin.id)
    assert domain.give_roles(admin, [Role.CUSTOMER], by=uuid.uuid4()).roles == (Role.CUSTOMER,)


def test_a_refresh_token_is_read_as_it_was_written() -> None:
    """And its secret is not what is stored."""
    token = RefreshToken(uuid.uuid4(), SECRET)
    assert RefreshToken.parse(token.text) == token
    assert SECRET not in token.digest


@pytest.mark.parametrize("text", ["", "x", "=" * 64, "ä" * 64, "\ud800" * 64, "A" * 60, "A" * 68, "a b" * 21])
def test_what_is_no_refresh_token_is_none(text: str) -> None:
    """Whatever somebody sends."""
    assert RefreshToken.parse(text) is None


def test_a_session_is_renewed_by_its_newest_token() -> None:
    """And lives a month from then."""
    session, first = domain.start_session(uuid.uuid4(), ADA.id, SECRET, NOW)
    later = NOW + dt.timedelta(days=29)
    renewed, second = domain.renew_session(session, first, NEXT, later)
    assert renewed.expires_at == later + domain.SESSION_LIFE
    assert domain.renew_session(renewed, second, SECRET, later)[0].id == session.id


def test_a_token_that_served_before_is_told_apart() -> None:
    """Whether or not the session has expired meanwhile."""
    session, first = domain.start_session(uuid.uuid4(), ADA.id, SECRET, NOW)
    renewed, _ = domain.renew_session(session, first, NEXT, NOW)
    for now in (NOW, NOW + dt.timedelta(days=31)):
        with pytest.raises(TokenReused):
            domain.renew_session(renewed, first, SECRET, now)


def test_a_session_ends_when_it_is_not_renewed_in_time() -> None:
    """After a month without a sign of life."""
    session, token = domain.start_session(uuid.uuid4(), ADA.id, SECRET, NOW)
    with pytest.raises(SessionExpired):
        domain.renew_session(session, token, NEXT, NOW + domain.SESSION_LIFE)


@pytest.mark.parametrize(
    ("count", "seconds"), [(5, 30), (6, 60), (7, 120), (9, 480), (10, 900), (11, 900), (2**31 - 1, 900)]
)
def test_wrong_passwords_make_the_next_try_wait(count: int, seconds: int) -> None:
    """Twice as long each time, up to a quarter of an hour."""
    assert domain.blocked_until(Failures(count, NOW)) == NOW + dt.timedelta(seconds=seconds)


def test_a_few_wrong_passwords_are_forgiven() -> None:
    """People mistype."""
    assert domain.blocked_until(None) is None
    assert domain.blocked_until(Failures(4, NOW)) is None
