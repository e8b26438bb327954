"""Signals: everybody hears, and nobody who fails stops anything."""

from __future__ import annotations

import logging

import pytest
from blinker import NamedSignal

from flask_chatstream import signals

ALL = [value for value in vars(signals).values() if isinstance(value, NamedSignal)]


@pytest.fixture
def heard():
    return []


def test_the_signals_are_the_documented_ones():
    assert {signal.name for signal in ALL} == {
        "conversation-created",
        "message-created",
        "generation-started",
        "generation-finished",
        "generation-failed",
        "reaction-changed",
    }


def test_a_receiver_hears_the_sender_and_the_values(heard):
    app = object()

    def receive(sender, **values):
        heard.append((sender, values))

    with signals.message_created.connected_to(receive, sender=app):
        signals.send(signals.message_created, app, message_id="1", role="user")
        signals.send(signals.message_created, object(), message_id="2", role="user")

    assert heard == [(app, {"message_id": "1", "role": "user"})]


def test_a_receiver_that_fails_stops_no_other(heard, caplog):
    app = object()

    def fail(sender, **values):
        raise RuntimeError("receiver broke")

    def receive(sender, **values):
        heard.append(values)

    with (
        signals.generation_failed.connected_to(fail),
        signals.generation_failed.connected_to(receive),
        caplog.at_level(logging.ERROR),
    ):
        signals.send(signals.generation_failed, app, error_code="timeout")

    assert heard == [{"error_code": "timeout"}]
    assert "A receiver of generation-failed failed." in caplog.text
