"""The sole wiring of the stages: plan, execute, measure, judge, publish, record, render, commit."""
