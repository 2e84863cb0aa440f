"""Monitors: what is out of the ordinary in a run, by what earlier runs were like. On for everything, without configuration."""

from __future__ import annotations

from nbops.history.monitors.judging import Judgement, bands, courses_of, judge

__all__ = ["Judgement", "bands", "courses_of", "judge"]
