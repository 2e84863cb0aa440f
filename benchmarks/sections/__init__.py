"""One module a section; each has ``TITLE``, ``MINUTES`` (of a full run on two quiet cores) and ``experiments(context)``."""
