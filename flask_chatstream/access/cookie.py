"""The anonymous owner: an id that this server minted and signed, in a cookie (S09)."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, request
from itsdangerous import BadSignature, URLSafeSerializer

from flask_chatstream.conversations import ANONYMOUS
from flask_chatstream.errors import StorageUnavailable

from .values import request_values

COOKIE = "chatstream_owner"
COOKIE_SECONDS = 365 * 24 * 3600


def _signer() -> URLSafeSerializer:
    retired = current_app.config.get("SECRET_KEY_FALLBACKS") or []

    return URLSafeSerializer([*retired, signing_key(current_app)], salt="chatstream-owner")


def signing_key(app: Flask) -> str | bytes:
    """The app's secret key; an app without one gets a key of our own in its instance folder."""

    if app.secret_key:
        return app.secret_key

    try:
        return _own_key(Path(app.instance_path) / "chatstream.key")
    except OSError as error:
        raise StorageUnavailable("The chat cannot write into the instance folder.") from error


def _own_key(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)

    draft = path.with_suffix(f".{os.getpid()}.{secrets.token_hex(4)}")
    draft.touch(mode=0o600)
    draft.write_text(secrets.token_hex(32))

    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()

    return path.read_text()


def read_cookie() -> str | None:
    """The anonymous owner that this request's browser holds."""

    value = request.cookies.get(COOKIE)

    if not value or request_values().get("retired"):
        return None

    try:
        found = _signer().loads(value)
    except BadSignature:
        return None

    return found if isinstance(found, str) and found.startswith(ANONYMOUS) else None


def mint() -> str:
    """A new anonymous owner, one for a request; `keep_owner` gives it to the browser."""

    values = request_values()

    if "visitor" not in values:
        values["visitor"] = f"{ANONYMOUS}{secrets.token_hex(16)}"
        values["minted"] = str(_signer().dumps(values["visitor"]))

    owner: str = values["visitor"]

    return owner


def retire_cookie() -> None:
    """Take the anonymous id from the browser with this request's response."""

    values = request_values()

    for name in ("minted", "owners", "visitor"):
        values.pop(name, None)

    values["retired"] = True


def keep_owner(response: Response) -> Response:
    """Give the browser the anonymous id that this request minted, or take a retired one (S09)."""

    values = request_values()
    minted = values.get("minted")

    if minted is not None:
        response.set_cookie(COOKIE, minted, max_age=COOKIE_SECONDS, **_attributes())
    elif values.get("retired"):
        response.delete_cookie(COOKIE, **_attributes())

    return response


def _attributes() -> dict[str, Any]:
    return {"secure": request.is_secure, "httponly": True, "samesite": "Lax"}
