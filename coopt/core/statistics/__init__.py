"""Intervals, p-values, verdicts and ranks: functions of arrays."""
