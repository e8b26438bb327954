"""The timer that many waits share, in a patched process; threads have none."""

from __future__ import annotations

from flask_chatstream.alarm import find_alarm
from tests.workers import run_python

SOURCE = """
import time
from gevent.event import Event
from flask_chatstream.alarm import find_alarm

rang = Event()
alarm = find_alarm(rang.set)

for _ in range(5):
    alarm.put_off(0.2)
    time.sleep(0.1)

print(rang.is_set())
print(rang.wait(5), alarm.has_rung)

rang.clear()
alarm.put_off(60)
print(alarm.has_rung)
alarm.put_off(0.01)
print(rang.wait(5), alarm.has_rung)

rang.clear()
alarm.put_off(0.05)
alarm.close()
time.sleep(0.2)
print(rang.is_set(), alarm.has_rung)
"""


def test_it_rings_when_it_is_put_off_no_more():
    written = run_python(SOURCE, patched=True).splitlines()

    assert written == ["False", "True True", "False", "True True", "False False"]


def test_a_thread_needs_none():
    assert find_alarm(lambda: None) is None
