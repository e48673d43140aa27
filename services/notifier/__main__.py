"""`python -m services.notifier`: run the service until it is told to stop."""

from libs.chassis.lifecycle import run_service
from libs.chassis.logs import configure_logging
from libs.chassis.settings import load_settings
from services.notifier.app import SERVICE, build_app
from services.notifier.settings import NotifierSettings


def main() -> None:
    """Run the service.

    Raises:
        SystemExit: 2 settings are wrong, 3 a port is taken, 1 a part died.
    """
    settings = load_settings(NotifierSettings)
    configure_logging(SERVICE, settings.log_level, settings.log_format)
    run_service(build_app(settings), settings)


if __name__ == "__main__":
    main()
