"""`python -m services.leads`: run the service until it is told to stop."""

import sys

from libs.chassis.lifecycle import EXIT_SETTINGS, run_service
from libs.chassis.logs import configure_logging
from libs.chassis.settings import load_settings
from services.leads.app import build_app
from services.leads.projection.lock import DatabaseInUse, locked
from services.leads.settings import LeadsSettings

EXIT_IN_USE = 4


def main() -> None:
    """Run the service.

    Raises:
        SystemExit: 2 settings are wrong, 3 a port is taken, 4 the database file is in use,
            1 a part died.
    """
    settings = load_settings(LeadsSettings)
    configure_logging("leads", settings.log_level, settings.log_format)
    try:
        with locked(settings.database):  # asked here too, where the answer can be said plainly
            pass
    except OSError as error:
        sys.stderr.write(
            f"leadlog leads: LEADLOG_LEADS_DATABASE: {settings.database} cannot be used: "
            f"{error.strerror or error}\n"
        )
        raise SystemExit(EXIT_SETTINGS) from None
    except DatabaseInUse as error:
        sys.stderr.write(f"leadlog leads: {error}\n")
        raise SystemExit(EXIT_IN_USE) from None
    run_service(build_app(settings), settings)


if __name__ == "__main__":
    main()
