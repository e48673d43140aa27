"""Accounts, sessions and tokens: who is asking."""
