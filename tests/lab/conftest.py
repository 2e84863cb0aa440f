"""JupyterLab's tests share what starts it."""

from tests.lab_tools import broken, contract_text, lab, page, picture, project, until, waiting

__all__ = ["broken", "contract_text", "lab", "page", "picture", "project", "until", "waiting"]
