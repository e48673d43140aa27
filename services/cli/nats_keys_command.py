"""``leadlog nats-keys``: a key for each user at NATS."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from services.cli import broker
from services.cli.nats_keys import BadSeed, KeyFolder, server_environment


def nats_keys(
    folder: Annotated[Path, typer.Argument(help="Where the secret keys are kept.")],
) -> None:
    """Make the secret keys for NATS; print the public ones, for nats-server's environment.

    FOLDER gets a file for each service and for the operator, such as intake.seed, that only you
    can read: name it in LEADLOG_NATS_NKEY_SEED_FILE of that service, and give it nobody else.
    What is there already stays, so that this can be repeated. To replace a key, delete its file,
    run this again, and start nats-server and that service with the new one.
    """
    try:
        environment = server_environment(KeyFolder(folder).seeds())
    except BadSeed as error:
        broker.give_up(str(error))
    except OSError as error:
        broker.give_up(f"Cannot keep keys in {folder}: {error.strerror}.")
    sys.stdout.write("".join(f"{name}={value}\n" for name, value in environment.items()))
