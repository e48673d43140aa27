"""How settings are read from environment variables [pure].

A field ``x`` of the service ``intake`` is looked for under ``LEADLOG_INTAKE_X``, then under
``LEADLOG_X``; a file whose path stands in ``LEADLOG_INTAKE_X_FILE`` or ``LEADLOG_X_FILE``
serves as well (the way container platforms hand over secrets).
"""

import difflib
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

PREFIX = "LEADLOG_"
SERVICES = frozenset({"intake", "leads", "notifier", "up"})

# Kubernetes sets these for each Service object it knows, so that a Service named
# "leadlog-intake" would otherwise look like a misspelt setting of ours:
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_KUBERNETES_NAME = re.compile(
    r"_SERVICE_HOST$|_SERVICE_PORT(_[A-Z0-9_]+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$"
)
_KUBERNETES_PORT = re.compile(r"^(tcp|udp|sctp)://")


@dataclass(frozen=True)
class Reading:
    """What the environment says.

    Attributes:
        values: raw text by field name.
        origins: the variable each value came from, by field name.
        faults: one sentence for each thing that is wrong; none holds a value.
    """

    values: dict[str, str] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def variables_of(name: str, service: str) -> tuple[str, str]:
    """Return the variables that may hold the field, the service's own first."""
    return f"{PREFIX}{service.upper()}_{name.upper()}", f"{PREFIX}{name.upper()}"


def read_environment(
    fields: Collection[str],
    service: str,
    environ: Mapping[str, str],
    read_file: Callable[[str], str],
) -> Reading:
    """Read each field of one service.

    Args:
        fields: names of the settings the service has.
        service: the service's name, in lower case.
        environ: the environment; a variable that is empty counts as not set.
        read_file: returns a file's text, or raises OSError or UnicodeDecodeError.
    """
    present = {name: value for name, value in environ.items() if value}
    reading = Reading()
    for name in fields:
        for variable in variables_of(name, service):
            if _read_field(reading, name, variable, present, read_file):
                break
    reading.faults.extend(_unknown(fields, service, present))
    return reading


def _read_field(
    reading: Reading,
    name: str,
    variable: str,
    environ: Mapping[str, str],
    read_file: Callable[[str], str],
) -> bool:
    """Take the field from one variable or its file; return whether either was set."""
    direct, path = environ.get(variable), environ.get(f"{variable}_FILE")
    if direct is not None and _is_from_kubernetes(variable, direct):
        direct = None
    if direct is None and path is None:
        return False
    if direct is not None and path is not None:
        reading.faults.append(f"{variable} and {variable}_FILE are both set: keep only one")
        return True
    reading.origins[name] = variable if path is None else f"{variable}_FILE"
    text = direct if path is None else _file_text(reading, f"{variable}_FILE", path, read_file)
    if text is not None:
        reading.values[name] = text
    return True


def _file_text(
    reading: Reading, variable: str, path: str, read_file: Callable[[str], str]
) -> str | None:
    try:
        text = read_file(path).rstrip("\r\n")
    except OSError as error:
        reading.faults.append(f"{variable}: cannot read the file {path!r}: {error.strerror}")
        return None
    except UnicodeDecodeError:
        reading.faults.append(f"{variable}: the file {path!r} is not UTF-8 text")
        return None
    if not text:
        reading.faults.append(f"{variable}: the file {path!r} is empty")
        return None
    return text


def _unknown(fields: Collection[str], service: str, environ: Mapping[str, str]) -> Iterator[str]:
    """Say which variables look like ours and are no setting: a misspelt one must not pass."""
    known = {v for name in fields for v in variables_of(name, service)}
    known |= {f"{variable}_FILE" for variable in known}
    for variable in sorted(environ):
        foreign = not variable.startswith(PREFIX) or _belongs_elsewhere(variable, service)
        if variable in known or foreign or _is_from_kubernetes(variable, environ[variable]):
            continue
        yield _describe_unknown(variable, known, service)


def _belongs_elsewhere(variable: str, service: str) -> bool:
    others = SERVICES - {service}
    return any(variable.startswith(f"{PREFIX}{other.upper()}_") for other in others)


def _is_from_kubernetes(variable: str, value: str) -> bool:
    if variable.endswith("_PORT") and _KUBERNETES_PORT.match(value):
        return True
    return _KUBERNETES_NAME.search(variable) is not None


def _describe_unknown(variable: str, known: Collection[str], service: str) -> str:
    close = difflib.get_close_matches(variable, sorted(known), n=1, cutoff=0.75)
    if close:
        return f"{variable} is not a setting; did you mean {close[0]}?"
    return (
        f"{variable} is not a setting of {service}; if it is meant for another service, "
        f"put that service's name behind {PREFIX.rstrip('_')}, and if for none, remove it"
    )
