"""The sample application of the unit tests, as a process."""

from libs.chassis.lifecycle import run_service
from libs.chassis.logs import configure_logging
from libs.chassis.settings import load_settings
from tests.unit.chassis.sample import SampleSettings, make_app

if __name__ == "__main__":
    settings = load_settings(SampleSettings)
    configure_logging("leads", settings.log_level, "json")
    run_service(make_app(), settings)
