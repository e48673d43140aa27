"""A mail catcher for a local run: takes every mail, delivers none, and shows them on a page."""

from services.cli.mail_catcher.running import run

__all__ = ["run"]
