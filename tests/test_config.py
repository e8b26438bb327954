"""The settings: read, checked, and never shown when they are secret."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest
from flask import Flask

from flask_chatstream.config import PREFIX, Settings, load_settings
from flask_chatstream.errors import ConfigurationError


def load(**values):
    return load_settings({PREFIX + name.upper(): value for name, value in values.items()})


def refusal(**values):
    with pytest.raises(ConfigurationError) as caught:
        load(**values)

    return str(caught.value)


def test_nothing_set_gives_the_defaults():
    assert load_settings({"SECRET_KEY": "x", "DEBUG": True}) == Settings()


def test_every_default_is_accepted_when_it_is_written_out():
    written = {f.name: getattr(Settings(), f.name) for f in fields(Settings)}

    assert load(**written) == Settings()


def test_settings_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        load().title = "Other"


def test_an_unknown_key_is_refused_with_the_nearest_known_one():
    assert "CHATSTREAM_LEASE_SECOND" in refusal(lease_second=3)
    assert "Did you mean CHATSTREAM_LEASE_SECONDS?" in refusal(lease_second=3)
    assert "Did you mean" not in refusal(qqqq=3)


def test_a_wrong_choice_is_refused_with_the_allowed_ones():
    message = refusal(durability="forever")

    assert "CHATSTREAM_DURABILITY is 'forever'" in message
    assert "'power', 'process'" in message


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("context_tokens", "many", "int"),
        ("context_tokens", True, "int"),
        ("context_tokens", 1.5, "int"),
        ("lease_seconds", "15", "float"),
        ("lease_seconds", True, "float"),
        ("lease_seconds", None, "float"),
        ("title", 7, "str"),
        ("title", None, "str"),
        ("auto_upgrade", "yes", "bool"),
        ("auto_upgrade", 1, "bool"),
        ("image_hosts", "example.org", "list"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(name, value, kind):
    assert f"{PREFIX}{name.upper()} must be of type {kind}" in refusal(**{name: value})


@pytest.mark.parametrize("value", [0, -1, 0.0])
def test_what_must_be_positive_is(value):
    assert "must be greater than 0" in refusal(lease_seconds=value)


def test_what_must_not_be_negative_is_not():
    assert load(commit_window_ms=0).commit_window_ms == 0.0
    assert "must not be negative" in refusal(commit_window_ms=-1)


def test_viewers_have_time_to_come_back():
    assert load(abandon_seconds=None).abandon_seconds is None
    assert load(abandon_seconds=60).abandon_seconds == 60.0
    assert "must be 60 at least" in refusal(abandon_seconds=59)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_time_is_a_finite_number(value):
    assert "CHATSTREAM_LEASE_SECONDS" in refusal(lease_seconds=value)


def test_an_integer_will_do_for_a_time_and_a_tuple_for_a_list():
    settings = load(lease_seconds=3, image_hosts=("a.example",))

    assert settings.lease_seconds == 3.0 and isinstance(settings.lease_seconds, float)
    assert settings.image_hosts == ["a.example"]


@pytest.mark.parametrize("name", [f.name for f in fields(Settings) if not f.repr])
def test_a_secret_is_in_no_repr_and_no_refusal(name):
    assert "canary" not in repr(load(**{name: "canary"}))
    assert "canary" not in refusal(**{name: ["canary"]})


def test_keys_and_addresses_with_passwords_are_secret():
    secret = {f.name for f in fields(Settings) if not f.repr}

    assert secret == {"openai_api_key", "database_uri", "redis_url"}


def test_everything_can_be_set_from_the_environment(monkeypatch):
    environment = {
        "MODEL": "gpt-x",
        "LEASE_SECONDS": "3",
        "AUTO_UPGRADE": "false",
        "IMAGE_HOSTS": '["a.example"]',
        "DURABILITY": "process",
    }

    for name, value in environment.items():
        monkeypatch.setenv(f"FLASK_CHATSTREAM_{name}", value)

    app = Flask("host")
    app.config.from_prefixed_env()

    assert load_settings(app.config) == Settings(
        model="gpt-x",
        lease_seconds=3.0,
        auto_upgrade=False,
        image_hosts=["a.example"],
        durability="process",
    )
