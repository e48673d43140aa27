"""Faults on purpose: a load, a killer, and a checker that shares no code with the services."""
