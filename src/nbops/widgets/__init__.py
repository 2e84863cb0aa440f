"""Widgets: forms and pictures in a notebook that talk to Python (JupyterLab, Notebook 7, VS Code), with a static view."""
