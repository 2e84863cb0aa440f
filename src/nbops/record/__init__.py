"""The record of a run: scrub it, write it down, keep it, guard it and commit it."""
