"""How a process proves to NATS who it is, and how it knows that it talks to NATS."""

import ssl
from typing import Any, Final

from libs.chassis.nats_client import HOME_API
from libs.chassis.settings import ServiceSettings, SettingsError

SERVICE_API: Final = "LEADLOG.API"


def login(settings: ServiceSettings, user: str) -> dict[str, Any]:
    """What ``nats.connect`` is told, of the settings.

    Args:
        settings: where the server is and how to log in.
        user: which user of deploy/nats/permissions.conf this is; answers come to
            ``_INBOX_<user>``, the only place to which that user may listen.

    Raises:
        SettingsError: LEADLOG_NATS_TLS_CA holds no certificate.
    """
    password, seed = settings.nats_password, settings.nats_nkey_seed
    return {
        "servers": settings.nats_url,
        "user": settings.nats_user,
        "password": password.get_secret_value() if password else None,
        "nkeys_seed_str": seed.get_secret_value().strip() if seed else None,
        "tls": _tls(settings),
        # Otherwise nats-py (2.16) goes on in plain text when the server, or somebody between,
        # says that it needs no TLS.
        "tls_handshake_first": any(url.startswith("tls://") for url in settings.nats_url),
        "inbox_prefix": inbox_of(user),
    }


def service_api(settings: ServiceSettings) -> str:
    """Where a service finds JetStream's API.

    With a key it is in an account of its own, as deploy/nats/permissions.conf has it, and sees
    there what it may ask for. A NATS that is set up otherwise has one account for all.
    """
    if settings.nats_api is not None:
        return settings.nats_api
    return SERVICE_API if settings.nats_nkey_seed else HOME_API


def inbox_of(user: str) -> str:
    """Where a user gets its answers."""
    return f"_INBOX_{user}"


def _tls(settings: ServiceSettings) -> ssl.SSLContext | None:
    if settings.nats_tls_ca is None:
        return None
    try:
        return ssl.create_default_context(cafile=str(settings.nats_tls_ca))
    except OSError as error:  # of which ssl.SSLError is one
        msg = f"LEADLOG_NATS_TLS_CA: {settings.nats_tls_ca} holds no certificate in PEM form"
        raise SettingsError([msg]) from error
