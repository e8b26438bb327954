"""Hints by Redis's PUBLISH and SUBSCRIBE."""

from __future__ import annotations

from typing import Any

from .bus import CHANNEL

#: How long a connection or a command may take, in seconds.
TIMEOUT = 5.0


class RedisBus:
    """One channel in the Redis of ``url``; nothing is stored there.

    Redis's channels know no databases, so the number of the URL's is a part of the name.
    """

    name = "redis"

    def __init__(self, url: str):
        self._url = url

    def open_sender(self) -> RedisSender:
        """Connect for sending."""

        return RedisSender(_connect(self._url))

    def open_listener(self) -> RedisListener:
        """Connect and listen."""

        return RedisListener(_connect(self._url))


def _connect(url: str) -> Any:
    import redis

    return redis.Redis.from_url(
        url,
        decode_responses=True,
        socket_connect_timeout=TIMEOUT,
        socket_timeout=TIMEOUT,
    )


def _channel(client: Any) -> str:
    return f"{CHANNEL}:{client.get_connection_kwargs().get('db') or 0}"


class RedisSender:
    """A connection to send by."""

    def __init__(self, client: Any):
        self._client = client
        client.ping()

    def send(self, text: str) -> None:
        """Publish to all who listen."""

        self._client.publish(_channel(self._client), text)

    def close(self) -> None:
        """Let the connection go."""

        self._client.close()


class RedisListener:
    """A connection to listen by."""

    def __init__(self, client: Any):
        self._client = client
        self._subscription = client.pubsub(ignore_subscribe_messages=True)
        self._subscription.subscribe(_channel(client))

    def receive(self, seconds: float) -> list[str]:
        """What has come, after the first of it or when the time is over."""

        message = self._subscription.get_message(timeout=seconds)

        return [message["data"]] if message else []

    def close(self) -> None:
        """Let the connection go."""

        self._subscription.close()
        self._client.close()
