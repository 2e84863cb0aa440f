"""Run and history -> HTML: complete without JavaScript, from ``file://``, with no outside request (``render``)."""
