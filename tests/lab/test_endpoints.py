"""Every endpoint of the server's, as they are registered: none answers who is not logged in, none does what another site asks."""

from __future__ import annotations

import json
import types
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from typing import Any

import pytest
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from tornado.web import RequestHandler

from nbops.lab import _register

_READING = {"get", "head"}
_WRITING = {"post", "put", "patch", "delete"}


def registered() -> list[tuple[str, type[RequestHandler]]]:
    """Return what the extension adds to a server: patterns of addresses, and handlers."""
    found: list[tuple[str, type[RequestHandler]]] = []
    web_app = types.SimpleNamespace(
        settings={"base_url": "/"}, add_handlers=lambda host, all_of_them: found.extend(item[:2] for item in all_of_them)
    )
    _register(types.SimpleNamespace(web_app=web_app, root_dir="."))
    return found


def _methods(handler: type[RequestHandler]) -> set[str]:
    """Return the methods that a handler answers itself."""
    bases = (RequestHandler, JupyterHandler, APIHandler)
    return {
        name for name in _READING | _WRITING if all(getattr(handler, name) is not getattr(base, name, None) for base in bases)
    }


def test_all_endpoints_are_looked_at() -> None:
    api = {path.rsplit("/", 1)[1]: handler for path, handler in registered() if path.startswith("/nbops/api/")}
    assert set(api) >= {"projects", "status", "build", "incidents", "notebook", "sources", "report", "diff", "new"}
    assert all(_methods(handler) for handler in api.values())
    assert _methods(api["build"]) == {"get", "post", "delete"}
    # what is no answer of the API has another way to be safe, and a test of its own
    assert sorted(path for path, _ in registered() if not path.startswith("/nbops/api/")) == sorted(
        [r"/files/((?:[^?]*/)?assets/(?:nbops|profile)\.css)", r"/nbops/report/([A-Za-z0-9_-]{32})\.(light|dark)/([^?]+)"]
    )


def _status(browser: urllib.request.OpenerDirector, request: urllib.request.Request) -> int:
    try:
        with browser.open(request, timeout=60) as answer:
            return answer.status if "/login" not in answer.url else 403
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.e2e
def test_no_endpoint_answers_strangers_or_does_what_another_site_asks(lab: Any, project: Any) -> None:
    server = lab(project)
    jar = CookieJar()
    logged_in = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    logged_in.open(f"{server.url}/lab?token={server.token}", timeout=60).close()
    stranger = urllib.request.build_opener()
    xsrf = next(cookie.value for cookie in jar if cookie.name == "_xsrf")
    body = json.dumps({"project": "", "id": "INC-20260101T000000Z-aaaaaa", "action": "acknowledge", "message": "x"}).encode()
    answered: list[str] = []
    for path, handler in registered():
        if not path.startswith("/nbops/api/"):
            continue
        for method in sorted(_methods(handler)):
            data = body if method in {"post", "put", "patch"} else None

            def ask(browser: Any, of: str = path, by: str = method, sent: bytes | None = data, **headers: str) -> int:
                return _status(
                    browser, urllib.request.Request(f"{server.url}{of}", data=sent, method=by.upper(), headers=headers)
                )

            answered += [
                f"{method} {path} with {given} and no login"
                for given in ({}, {"Authorization": "token wrong"})
                if ask(stranger, **given) not in {401, 403}
            ]
            if method in _READING:
                assert ask(logged_in) != 403, path  # so that the refusals are of what they seem to be of
                continue
            # logged in by a cookie, as the browser that a page of another site makes ask
            evil = {"Origin": "http://evil.example"}
            for given in ({}, {"Origin": server.url}, {"X-XSRFToken": "wrong"}, evil, {**evil, "X-XSRFToken": xsrf}):
                refusals = {403, 404} if "evil" in str(given) else {403}  # Jupyter's word for another origin is 404
                if ask(logged_in, **given) not in refusals:
                    answered.append(f"{method} {path} with {given} and no XSRF token")
            assert ask(logged_in, **{"X-XSRFToken": xsrf, "Origin": server.url}) != 403, path
    assert answered == []
