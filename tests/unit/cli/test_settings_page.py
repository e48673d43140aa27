from pathlib import Path

from libs.chassis.settings import ServiceSettings
from services.cli.settings_page import SERVICES, page

KEPT = Path(__file__).parents[3] / "docs" / "settings.md"


def test_the_page_in_docs_is_the_one_the_models_make() -> None:
    assert KEPT.read_text() == page(), (
        "docs/settings.md is out of date: run `leadlog settings --output docs/settings.md`"
    )


def test_every_setting_has_a_variable_and_a_meaning() -> None:
    text = page()
    for cls in SERVICES:
        for name, field in cls.model_fields.items():
            shared = name in ServiceSettings.model_fields and not name.endswith("_port")
            prefix = "LEADLOG_" if shared else f"LEADLOG_{cls.service.upper()}_"
            assert f"`{prefix}{name.upper()}`" in text
            assert field.description, f"{name} of {cls.service} has no description"
