"""The queryable copy of the log: a SQLite file that a replay can rebuild at any time."""
