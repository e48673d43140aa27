"""Signing in with the firm's own identity provider (OpenID Connect, docs/oidc.md)."""
