from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from release import applying
from release.building import REGISTRY, SERVICES, Shop
from release.plan_test import without_total
from release.repository import Repository
from release.version import Bump, ReleaseError

BODY = "An order is not charged twice."


def passes() -> int:
    return 0


def apply(
    shop: Shop, *names: str, asked: Mapping[str, Bump] | None = None, judge: Callable[[], int] = passes
) -> int:
    """Release `names`, as the command does."""
    planned = shop.plan()
    return applying.apply(shop.repository, planned, applying.versions(planned, names, asked or {}), judge)


@pytest.fixture
def changed(shop: Shop) -> Shop:
    """Order and payment have been mended since."""
    for name in ("order", "payment"):
        shop.edit(f"{SERVICES}/{name}/app.py", "NAME", "CALLED")
        shop.commit(f"fix({name}): {BODY[0].lower()}{BODY[1:-1]}\n\nIt was, now and then.")
    return shop


def test_a_release_is_one_commit_with_its_tags(changed: Shop) -> None:
    """Versions and changelogs are in it; the tags say what has changed; nothing is left to do."""
    before = changed.git("rev-parse", "HEAD")
    assert 0 == apply(changed)
    assert "chore(release): order 1.0.1, payment 1.0.1" == changed.git("log", "-1", "--format=%B").strip()
    assert before == changed.git("rev-parse", "HEAD~1")
    assert "" == changed.git("status", "--porcelain")
    assert "1.0.1\n" == changed.read(f"{SERVICES}/order/VERSION")
    expected = f"# Changelog of order\n\n## 1.0.1\n\n- Fixed: {BODY}\n\n## 1.0.0\n\n- All of it.\n"
    assert expected == changed.read(f"{SERVICES}/order/CHANGELOG.md")
    assert f"order 1.0.1\n\n- Fixed: {BODY}\n" in changed.git("cat-file", "tag", "order-v1.0.1")
    assert changed.git("rev-parse", "HEAD") == changed.git("rev-parse", "order-v1.0.1^{commit}")
    assert {} == changed.due()


def test_one_of_two_can_be_released_alone(changed: Shop) -> None:
    """The other stays due."""
    assert 0 == apply(changed, "order")
    assert {"payment": "1.0.1"} == changed.due()


def test_a_changelog_tells_of_commits_that_touch_what_is_shipped(changed: Shop) -> None:
    """Of its own, since its own last release."""
    changed.edit(f"{SERVICES}/order/app_test.py", "test_it", "test_that")
    changed.commit("fix(order): only a test")
    apply(changed, "order")
    changed.edit(f"{SERVICES}/order/app.py", "order", "orders")
    changed.commit("feat(order): more of them")
    apply(changed, "order")
    (newest, before, _) = changed.read(f"{SERVICES}/order/CHANGELOG.md").split("\n## ")[1:]
    assert "1.0.2\n\n- Added: More of them.\n" == newest
    assert f"1.0.1\n\n- Fixed: {BODY}\n" == before


def test_the_first_release_tags_what_stands(unreleased: Shop) -> None:
    """The changelog was written by hand, and says it already."""
    written = unreleased.read(f"{SERVICES}/order/CHANGELOG.md")
    assert 0 == apply(unreleased, "order")
    assert written == unreleased.read(f"{SERVICES}/order/CHANGELOG.md")
    assert "- All of it." in unreleased.git("cat-file", "tag", "order-v1.0.0")


def test_what_is_released_is_what_the_next_change_must_keep(changed: Shop) -> None:
    """The promise of that service, and of no other."""
    for name in ("order", "payment"):
        changed.edit_document(f"openapi/{name}.json", lambda document: document["info"].update(title="Other"))
    changed.commit("docs: titles")
    apply(changed, "order")
    titles = {
        name: json.loads(changed.read(f"{REGISTRY}/released/openapi/{name}.json"))["info"]["title"]
        for name in ("order", "payment")
    }
    assert "Other" == titles["order"]
    assert "Other" != titles["payment"]


@pytest.mark.parametrize("path", ["new.txt", f"{SERVICES}/order/app.py"])
def test_a_dirty_tree_is_refused(path: str, changed: Shop) -> None:
    """Nobody would know what was released; the message says what it is."""
    changed.write(path, "other\n")
    before = changed.state()
    with pytest.raises(ReleaseError, match=path):
        apply(changed)
    assert before == changed.state()


def test_a_tag_that_exists_is_refused(changed: Shop) -> None:
    """Somebody released that version elsewhere; nothing of the others is written, either."""
    changed.git("switch", "--quiet", "--create", "other")
    changed.commit("chore(release): payment 1.0.1")
    changed.git("tag", "payment-v1.0.1")
    changed.git("switch", "--quiet", "main")
    before = changed.state()
    with pytest.raises(ReleaseError, match=r"the tag payment-v1\.0\.1 exists already"):
        apply(changed)
    assert before == changed.state()


def test_a_version_that_goes_backwards_is_refused(changed: Shop) -> None:
    """With all that was to be released with it."""
    changed.write(f"{SERVICES}/payment/VERSION", "0.9.0\n")
    changed.commit("chore: a mistake")
    before = changed.state()
    with pytest.raises(ReleaseError, match="backwards"):
        apply(changed)
    assert before == changed.state()


def test_a_bump_that_is_too_small_is_refused(changed: Shop) -> None:
    """What breaks somebody is no patch."""
    changed.edit_document("openapi/order.json", without_total)
    changed.commit("feat(order)!: no total")
    before = changed.state()
    with pytest.raises(ReleaseError, match=r"it is a major: order: .*total"):
        apply(changed, "order", asked={"order": Bump.PATCH})
    assert before == changed.state()


def test_what_the_gate_refuses_is_not_released(changed: Shop) -> None:
    """Its status is passed on."""
    before = changed.state()
    assert 3 == apply(changed, judge=lambda: 3)
    assert before == changed.state()


@pytest.mark.parametrize(
    ("names", "asked", "problem"),
    [
        (["moon"], {}, "nothing called 'moon' is released; these are: .*notification, order,"),
        (["user"], {}, "user has not changed since 1.0.0"),
        (["order"], {"payment": Bump.MAJOR}, "--bump payment is of nothing that is released"),
    ],
)
def test_names_that_cannot_be_meant_are_refused(
    names: list[str], asked: dict[str, Bump], problem: str, changed: Shop
) -> None:
    """Before anything is looked at."""
    with pytest.raises(ReleaseError, match=problem):
        apply(changed, *names, asked=asked)


def test_what_has_not_changed_is_released_where_that_is_asked_for(shop: Shop) -> None:
    """On another base image, say."""
    with pytest.raises(ReleaseError, match="nothing has changed"):
        apply(shop)
    assert 0 == apply(shop, asked={"user": Bump.PATCH})
    assert "- Built anew: nothing that its users notice." in shop.read(f"{SERVICES}/user/CHANGELOG.md")


def test_where_git_refuses_nothing_is_changed(changed: Shop) -> None:
    """Here by a hook; a disk that is full, or a lock that somebody holds, are no different."""
    before = changed.state()
    hook = changed.root / ".git/hooks/reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\n[ "$1" != prepared ] || ! grep -q payment-v\n')
    hook.chmod(0o755)
    with pytest.raises(ReleaseError, match="git update-ref refuses"):
        apply(changed)
    hook.unlink()
    assert before == changed.state()
    assert "1.0.0\n" == changed.read(f"{SERVICES}/order/VERSION")


def test_a_folder_without_git_is_named(tmp_path: Path) -> None:
    """A release needs a history."""
    with pytest.raises(ReleaseError, match=f"git status refuses in {tmp_path}"):
        Repository(tmp_path).refuse_unclean("it is not clean")
