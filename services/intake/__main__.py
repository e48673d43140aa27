"""``python -m services.intake``."""

from libs.chassis.lifecycle import run_service
from libs.chassis.logs import configure_logging
from libs.chassis.settings import load_settings
from services.intake.app import SERVICE, build_app
from services.intake.settings import IntakeSettings


def main() -> None:
    """Run the intake service until it is told to stop."""
    settings = load_settings(IntakeSettings)
    configure_logging(SERVICE, settings.log_level, settings.log_format)
    run_service(build_app(settings), settings)


if __name__ == "__main__":
    main()
