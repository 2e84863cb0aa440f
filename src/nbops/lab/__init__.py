"""JupyterLab: the server extension that the wheel's drop-in ``etc/jupyter/jupyter_server_config.d/zz-nbops.json`` turns on."""

from __future__ import annotations

import re
from typing import Any

__all__: list[str] = []


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """Tell Jupyter Server where the extension is."""
    return [{"module": "nbops.lab"}]


def _link_jupyter_server_extension(server_app: Any) -> None:
    """Choose the contents manager. Extensions are linked before the server makes its managers, and loaded after: too late."""
    from nbops.lab.contents import install  # noqa: PLC0415 - only inside a server

    install(server_app)


def _load_jupyter_server_extension(server_app: Any) -> None:
    """Answer the browser's questions; a fault is logged and leaves Lab as it is."""
    try:
        _answer_when_asked(server_app)
    except Exception as error:  # noqa: BLE001 - an unknown release of Jupyter must not keep Lab from opening
        _say(server_app, error)


def _answer_when_asked(server_app: Any) -> None:
    """Import what answers with the first question, so that the server starts as soon as it does without nbops."""
    from tornado import routing, web  # noqa: PLC0415

    class WhenAsked(routing.Router):
        """Adds the handlers to the server once, and leaves the question to them."""

        asked = False

        def find_handler(self, request: Any, **_: Any) -> None:  # noqa: ARG002 - tornado's signature
            if not self.asked:
                self.asked = True
                try:
                    _register(server_app)
                except Exception as error:  # noqa: BLE001 - as above
                    _say(server_app, error)

    base = re.escape(server_app.web_app.settings["base_url"])
    questions = rf"{base}(nbops/.*|files/.*\.css)"
    # not the server's own add_handlers: it looks for the methods of a handler, which a router has not
    web.Application.add_handlers(server_app.web_app, ".*$", [routing.Rule(routing.PathMatches(questions), WhenAsked())])


def _register(server_app: Any) -> None:
    from nbops.lab.handlers import register  # noqa: PLC0415
    from nbops.lab.new_handlers import register_new  # noqa: PLC0415
    from nbops.lab.report_handlers import register_reports  # noqa: PLC0415

    register(server_app)
    register_reports(server_app)
    register_new(server_app)


def _say(server_app: Any, error: Exception) -> None:
    server_app.log.warning("[nbops] JupyterLab shows no pipeline: %s: %s", type(error).__name__, error)
