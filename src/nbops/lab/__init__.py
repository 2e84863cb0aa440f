"""JupyterLab: the server extension that the wheel's drop-in ``etc/jupyter/jupyter_server_config.d/zz-nbops.json`` turns on."""

from __future__ import annotations

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
        from nbops.lab.handlers import register  # noqa: PLC0415
        from nbops.lab.new_handlers import register_new  # noqa: PLC0415
        from nbops.lab.report_handlers import register_reports  # noqa: PLC0415

        register(server_app)
        register_reports(server_app)
        register_new(server_app)
    except Exception as error:  # noqa: BLE001 - an unknown release of Jupyter must not keep Lab from opening
        server_app.log.warning("[nbops] percent .py files open as text: %s: %s", type(error).__name__, error)
