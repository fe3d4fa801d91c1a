"""Where load goes, and with whose credentials: the shop that runs here, or the one at `--host`."""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from loadtests.errors import LoadError

EMAIL, PASSWORD, KEY = "MERCATO_ADMIN_EMAIL", "MERCATO_ADMIN_PASSWORD", "MERCATO_API_KEY"
# A host is for production unless its name has one of these words.
FOR_TRIALS = frozenset({"dev", "staging", "test", "localhost"})
_PATIENCE_S = 10.0


@dataclass(frozen=True)
class Target:
    """A gateway, the admin who fills shelves behind it, and the key that it may ask for."""

    url: str
    email: str
    password: str = field(repr=False)
    key: str = field(default="", repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """What each request carries."""
        return {"X-Api-Key": self.key} if self.key else {}

    @property
    def environment(self) -> dict[str, str]:
        """The same for a process that offers load: credentials never stand on a command line."""
        return {EMAIL: self.email, PASSWORD: self.password, KEY: self.key}


def find(
    host: str | None, state: Path, allowed: str | None, environment: Mapping[str, str] = os.environ
) -> Target:
    """The shop at `host`, else the one that runs from the folder `state`. Raises LoadError without one.

    `allowed` is the name of a host that may be loaded though it may be production.
    """
    if host is None:
        return _running(state, environment)
    url = host.rstrip("/")
    _may_be_loaded(url, allowed)
    return of_environment(url, environment)


def of_environment(url: str, environment: Mapping[str, str] = os.environ) -> Target:
    """The shop at `url`, with the credentials of the environment. Raises LoadError where one is missing."""
    missing = [name for name in (EMAIL, PASSWORD) if not environment.get(name)]
    if missing:
        raise LoadError(
            f"set {' and '.join(missing)}: an admin of the shop, who fills its shelves under load."
        )
    return Target(url, environment[EMAIL], environment[PASSWORD], environment.get(KEY, ""))


def check(target: Target) -> None:
    """Ask what load will ask. Raises LoadError where the host does not answer, or refuses credentials."""
    found = _ask(target, "/api/products?limit=1&in_stock=true")
    if not isinstance(found, dict) or not found.get("items"):
        raise LoadError(f"{target.url} has nothing in stock that customers could order: fill its catalogue.")
    _ask(target, "/api/users/login", {"email": target.email, "password": target.password})


def _running(state: Path, environment: Mapping[str, str]) -> Target:
    path = state / "running.json"
    try:
        known = json.loads(path.read_text("utf-8"))
        return Target(
            known["url"], known["admin"]["email"], known["admin"]["password"], environment.get(KEY, "")
        )
    except FileNotFoundError:
        raise LoadError(
            f"no shop is running from {state}: start one with ./pants up, or name another by --host."
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LoadError(f"{path} cannot be read: {error!r}.") from None


def _may_be_loaded(url: str, allowed: str | None) -> None:
    parts = urlsplit(url)
    try:
        name, _ = parts.hostname, parts.port
    except ValueError:
        name = None
    if parts.scheme not in ("http", "https") or not name or parts.username or parts.query or parts.fragment:
        raise LoadError(f"{url} is no address of a shop: --host https://api.staging.example.com.")
    here = _is_loopback(name)
    if parts.scheme == "http" and not here:
        raise LoadError(f"{url} would carry passwords in the clear: say https.")
    if here or allowed == name or FOR_TRIALS & set(re.split(r"[.-]", name)):
        return
    raise LoadError(
        f"{name} may be production, as its name says none of {', '.join(sorted(FOR_TRIALS))}: "
        f"if load shall go there, spell it, --allow-host {name}."
    )


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _ask(target: Target, path: str, body: object = None) -> Any:
    request = urllib.request.Request(  # noqa: S310 -- the scheme was checked, or is the devstack's own
        target.url + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={**target.headers, "Content-Type": "application/json"},
    )
    try:
        with _opener().open(request, timeout=_PATIENCE_S) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        raise LoadError(_refused(target, path, error)) from None
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise LoadError(f"{target.url} does not answer: {reason}.") from None
    except ValueError:
        raise LoadError(f"{target.url} answers at {path}, but not as a shop would.") from None


def _opener() -> urllib.request.OpenerDirector:
    """Neither a proxy nor a redirection sees the credentials."""
    return urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        _NoRedirection(),
    )


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _refused(target: Target, path: str, error: urllib.error.HTTPError) -> str:
    signing_in = path.endswith("/login")
    if error.code == 403 or (error.code == 401 and not signing_in):
        return f"{target.url} asks for a key ({error.code}): set {KEY} to one that it knows."
    if error.code == 401:
        return f"{target.url} does not sign in {target.email}: {EMAIL} or {PASSWORD} is wrong."
    return f"{target.url} answers {path.partition('?')[0]} with {error.code}: load makes sense once it works."
