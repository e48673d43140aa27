"""Settings of a service, from the environment, checked at start."""

import os
import re
import sys
import types
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Literal,
    NoReturn,
    TypeVar,
    Union,
    get_args,
    get_origin,
)
from urllib.parse import urlsplit

from pydantic import Field, FilePath, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from libs.chassis.environment import Reading, read_environment, variables_of

Port = Annotated[int, Field(ge=0, le=65535)]
S = TypeVar("S", bound="ServiceSettings")
_SEED: Final = re.compile(r"SU[A-Z2-7]{56}")


class SettingsError(Exception):
    """The environment does not make valid settings; ``faults`` has one sentence for each reason."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(self.faults))


class ServiceSettings(BaseSettings):
    """What every service can be told.

    A subclass names its service and adds its own fields::

        class IntakeSettings(ServiceSettings, service="intake"):
            http_port: Port = 8080
    """

    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    service: ClassVar[str] = ""

    environment: Literal["development", "production"] = Field(
        "development", description="production refuses what is fit for trials only."
    )
    nats_url: list[str] = Field(
        ["nats://127.0.0.1:4222"],
        min_length=1,
        description="The NATS servers, without user and password; `tls://` encrypts.",
    )
    nats_nkey_seed: SecretStr | None = Field(
        None,
        description="The secret key (nkey seed) of this service's user at NATS, as `leadlog "
        "nats-keys` makes it.",
    )
    nats_user: str | None = Field(
        None, description="The user name, for a NATS that is set up with passwords instead."
    )
    nats_password: SecretStr | None = Field(None, description="The password of that user.")
    nats_tls_ca: FilePath | None = Field(
        None, description="Certificate authorities to trust at NATS in place of the system's."
    )
    nats_api: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9$_-]+(\.[A-Za-z0-9$_-]+)*$",
        description="The subject before each request to JetStream; by default LEADLOG.API with a "
        "key, as in deploy/nats, and $JS.API without.",
    )
    nats_monitor_url: list[str] = Field(
        default_factory=list,
        description="The monitoring page of each NATS server, such as http://nats:8222, to read "
        "whether it syncs to disk before it acknowledges.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least important lines that are written."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="How lines look; `auto` is `console` at a terminal, else `json`."
    )
    http_host: str = Field("127.0.0.1", description="The address to listen on.")
    http_port: Port = Field(8080, description="The port to listen on.")
    trusted_proxies: list[IPv4Network | IPv6Network] = Field(
        default_factory=list,
        description="Networks of the proxies in front, such as 10.0.0.0/8: of these, "
        "`X-Forwarded-For` and `X-Forwarded-Proto` are believed.",
    )
    behind_tls: bool = Field(
        default=False,
        description="Every client comes by TLS: send HSTS always, not only when a trusted proxy "
        "says `X-Forwarded-Proto: https`.",
    )
    connections_per_address: int = Field(
        200,
        ge=0,
        description="Connections one client address (of IPv6: /64) may hold; 0 for no limit. "
        "Trusted proxies and this machine are not counted.",
    )
    idle_seconds: float = Field(
        30,
        gt=0,
        description="How long a connection may wait for the whole head of a request, the first "
        "or the next; keep it above what the proxy in front uses.",
    )
    body_timeout_seconds: float = Field(
        30, gt=0, description="How long a request's body may take to arrive."
    )
    stalled_seconds: float = Field(
        30, gt=0, description="How long a client may leave an answer unread."
    )
    metrics_host: str = Field("127.0.0.1", description="The address of the metrics port.")
    metrics_port: Port = Field(0, description="0 turns the metrics port off.")
    shutdown_seconds: float = Field(20, gt=0, description="Seconds a stop waits for requests.")
    shutdown_delay_seconds: float = Field(
        0,
        ge=0,
        description="Seconds to go on serving, not ready, after a stop was asked for; gives a "
        "load balancer the time to notice.",
    )

    def __init_subclass__(cls, *, service: str | None = None, **kwargs: Any) -> None:
        """Keep the service's name; a subclass of a service's settings inherits it."""
        super().__init_subclass__(**kwargs)
        if service is not None:
            cls.service = service

    @field_validator("nats_url")
    @classmethod
    def _no_credentials_in_url(cls, urls: list[str]) -> list[str]:
        """Refuse credentials in a URL, since URLs are logged."""
        for url in urls:
            parts = urlsplit(url)
            if parts.scheme not in {"nats", "tls", "ws", "wss"} or not parts.hostname:
                msg = "each URL must look like nats://host:4222 or tls://host:4222"
                raise ValueError(msg)
            if parts.username or parts.password:
                msg = (
                    "leave user and password out of the URL; LEADLOG_NATS_NKEY_SEED, or "
                    "LEADLOG_NATS_USER and LEADLOG_NATS_PASSWORD, hold them"
                )
                raise ValueError(msg)
        return urls

    @field_validator("nats_nkey_seed")
    @classmethod
    def _is_a_users_seed(cls, seed: SecretStr | None) -> SecretStr | None:
        """Find a mistake at the start, not in the client's background."""
        if seed is not None and not _SEED.fullmatch(seed.get_secret_value().strip()):
            msg = "a user's nkey seed begins with SU and has 58 characters (A to Z, 2 to 7)"
            raise ValueError(msg)
        return seed

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first (tests, embedding), then the environment; nothing else."""
        del env_settings, dotenv_settings, file_secret_settings
        return init_settings, _EnvironmentSource(settings_cls)


class _EnvironmentSource(PydanticBaseSettingsSource):
    """Reads the process's environment by Leadlog's rules."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Part of the library's interface; values are taken in ``__call__`` for all at once."""
        del field
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the values found.

        Raises:
            SettingsError: a file cannot be read, or a variable is misspelt or set twice.
        """
        settings_cls = self.settings_cls
        if not issubclass(settings_cls, ServiceSettings):
            raise TypeError(settings_cls)
        reading = _read(settings_cls)
        if reading.faults:
            raise SettingsError(reading.faults)
        fields = settings_cls.model_fields
        return {name: _raw(fields[name], text) for name, text in reading.values.items()}


def load_settings(cls: type[S]) -> S:
    """Build the settings from the environment, or end the process with exit code 2.

    What is wrong goes to stderr, each fault on its own line with the variable's name, and
    without the value when that could be a secret.
    """
    try:
        return cls()
    except SettingsError as error:
        _give_up(cls.service, error.faults)
    except ValidationError as error:
        _give_up(cls.service, _faults(cls, error))


def _give_up(service: str, faults: Iterable[str]) -> NoReturn:
    lines = [f"leadlog {service}: the settings are not valid, so the service did not start."]
    lines += [f"  - {fault}" for fault in faults]
    sys.stderr.write("\n".join(lines) + "\n")
    raise SystemExit(2)


def _faults(cls: type[ServiceSettings], error: ValidationError) -> list[str]:
    origins = _read(cls).origins
    return [
        _fault(cls, origins, str(e["loc"][0]) if e["loc"] else "", str(e["msg"]))
        for e in error.errors(include_input=False, include_url=False, include_context=False)
    ]


def _fault(cls: type[ServiceSettings], origins: dict[str, str], name: str, message: str) -> str:
    message = message.removeprefix("Value error, ")
    if name not in cls.model_fields:
        return message
    if name not in origins:
        own, common = variables_of(name, cls.service)
        return f"{own} (or {common}) is not set, or is not valid: {message}"
    shown = _shown(cls.model_fields[name], origins[name])
    return f"{origins[name]}: {message}{shown}"


def _shown(field: FieldInfo, variable: str) -> str:
    """Repeat a number or a choice, which cannot be a secret; nothing else."""
    kinds = set(_alternatives(field.annotation))
    plain = all(kind in {int, float, bool} or get_origin(kind) is Literal for kind in kinds)
    value = os.environ.get(variable)
    return f" (it is {value!r})" if plain and value and not variable.endswith("_FILE") else ""


def _read(cls: type[ServiceSettings]) -> Reading:
    return read_environment(
        cls.model_fields, cls.service, os.environ, lambda path: Path(path).read_text("utf-8")
    )


def _raw(field: FieldInfo, text: str) -> str | list[str]:
    """Split the text of a list setting at its commas."""
    collections = (list, tuple, set, frozenset)
    if any((get_origin(k) or k) in collections for k in _alternatives(field.annotation)):
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _alternatives(annotation: Any) -> list[Any]:
    """Return the types an annotation allows, without None and without Annotated."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _alternatives(get_args(annotation)[0])
    if origin in {Union, types.UnionType}:
        return [kind for part in get_args(annotation) for kind in _alternatives(part)]
    return [] if annotation is type(None) else [annotation]
