"""Talking to the firm's SMTP server: what an answer means, one connection, a pool of them."""
