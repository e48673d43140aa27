import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.chassis.environment import Reading, read_environment

FIELDS = ("http_port", "nats_url", "nats_password")


def no_file(path: str) -> str:
    raise AssertionError(path)


def read(environ: dict[str, str], files: dict[str, str] | None = None) -> Reading:
    def read_file(path: str) -> str:
        if files is None or path not in files:
            raise FileNotFoundError(2, "No such file or directory")
        return files[path]

    return read_environment(FIELDS, "intake", environ, read_file)


def test_the_services_own_variable_wins_over_the_common_one() -> None:
    reading = read({"LEADLOG_HTTP_PORT": "1", "LEADLOG_INTAKE_HTTP_PORT": "2"})

    assert reading.values == {"http_port": "2"}
    assert reading.origins == {"http_port": "LEADLOG_INTAKE_HTTP_PORT"}
    assert reading.faults == []


def test_an_empty_variable_counts_as_not_set() -> None:
    reading = read({"LEADLOG_INTAKE_HTTP_PORT": "", "LEADLOG_HTTP_PORT": "7"})

    assert reading.values == {"http_port": "7"}


def test_a_file_holds_the_value_and_its_last_newline_is_cut() -> None:
    reading = read({"LEADLOG_NATS_PASSWORD_FILE": "/run/x"}, {"/run/x": " s3 cret \r\n"})

    assert reading.values == {"nats_password": " s3 cret "}
    assert reading.origins == {"nats_password": "LEADLOG_NATS_PASSWORD_FILE"}


def test_the_services_own_file_wins_over_the_common_variable() -> None:
    environ = {"LEADLOG_INTAKE_NATS_PASSWORD_FILE": "/f", "LEADLOG_NATS_PASSWORD": "common"}

    assert read(environ, {"/f": "own"}).values == {"nats_password": "own"}


def test_a_variable_and_its_file_together_are_a_fault_that_shows_no_value() -> None:
    environ = {"LEADLOG_NATS_PASSWORD": "hunter2", "LEADLOG_NATS_PASSWORD_FILE": "/f"}
    reading = read(environ, {"/f": "hunter3"})

    assert reading.values == {}
    assert reading.faults == [
        "LEADLOG_NATS_PASSWORD and LEADLOG_NATS_PASSWORD_FILE are both set: keep only one"
    ]


def test_a_missing_file_is_named_with_its_variable() -> None:
    reading = read({"LEADLOG_NATS_PASSWORD_FILE": "/run/gone"})

    assert reading.faults == [
        "LEADLOG_NATS_PASSWORD_FILE: cannot read the file '/run/gone': No such file or directory"
    ]


def test_a_file_without_text_is_a_fault() -> None:
    reading = read({"LEADLOG_NATS_PASSWORD_FILE": "/f"}, {"/f": "\n"})

    assert reading.faults == ["LEADLOG_NATS_PASSWORD_FILE: the file '/f' is empty"]


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("LEADLOG_INTAKE_HTPP_PORT", "LEADLOG_INTAKE_HTTP_PORT"),
        ("LEADLOG_NATS_ULR", "LEADLOG_NATS_URL"),
        ("LEADLOG_NATS_PASSWRD_FILE", "LEADLOG_NATS_PASSWORD_FILE"),
    ],
)
def test_a_misspelt_variable_is_a_fault_with_a_suggestion(misspelt: str, meant: str) -> None:
    assert read({misspelt: "1"}).faults == [f"{misspelt} is not a setting; did you mean {meant}?"]


def test_a_variable_unlike_any_setting_is_a_fault_that_says_what_to_do() -> None:
    (fault,) = read({"LEADLOG_QUUX": "1"}).faults

    assert fault.startswith("LEADLOG_QUUX is not a setting of intake; if it is meant for another")


@pytest.mark.parametrize(
    "name", ["LEADLOG_LEADS_HTTP_PORT", "LEADLOG_NOTIFIER_X", "LEADLOG_UP_DATA", "PATH", "LEADS"]
)
def test_what_belongs_to_others_is_left_alone(name: str) -> None:
    assert read({name: "1"}) == Reading()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LEADLOG_INTAKE_SERVICE_HOST", "10.0.0.1"),
        ("LEADLOG_INTAKE_SERVICE_PORT_HTTP", "8080"),
        ("LEADLOG_INTAKE_PORT", "tcp://10.0.0.1:8080"),
        ("LEADLOG_INTAKE_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("LEADLOG_HTTP_PORT", "tcp://10.0.0.1:8080"),
    ],
)
def test_what_kubernetes_sets_for_a_service_object_is_left_alone(name: str, value: str) -> None:
    assert read({name: value}) == Reading()


@given(st.dictionaries(st.text(), st.text(min_size=1)))
def test_no_fault_ever_repeats_a_value(environ: dict[str, str]) -> None:
    marked = {f"LEADLOG_{name}": f"<<{value}>>" for name, value in environ.items()}

    assert not any(
        "<<" in fault for fault in read_environment(FIELDS, "up", marked, no_file).faults
    )
