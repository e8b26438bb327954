"""The site's base template, as a page of ours extends it.

The two belong to different environments and have different variables. So each is drawn with a
context of its own, and only the blocks pass between them: ours stand before the site's, and
``super()`` leads from ours to the site's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from jinja2 import Template
from jinja2.runtime import Context

Draw = Callable[[Context], Any]


class Base(Template):
    """A template of the site's that is drawn with ``values``, whichever page extends it."""

    def __new__(cls, template: Template, values: dict[str, Any]) -> Base:
        return object.__new__(cls)  # a `Template` would compile its source

    def __init__(self, template: Template, values: dict[str, Any]):
        self.blocks = {}
        self.root_render_func = self._draw
        self._template = template
        self._values = values

    def _draw(self, page: Context) -> Iterator[str]:
        site = self._template.new_context(self._values)
        is_async = self._template.environment.is_async
        make = _async_block if is_async else _block

        for name in page.blocks:
            site.blocks.setdefault(name, []).insert(0, make(page, site, name))

        pieces: Any = self._template.root_render_func(site)

        return iter(asyncio.run(_gather(pieces))) if is_async else pieces


def _block(page: Context, site: Context, name: str) -> Draw:
    """A block of the page's for the site's context."""

    own = page.blocks[name]

    def draw(context: Context) -> Iterator[str]:
        # All of the base's own bases have added theirs by now.
        rest = site.blocks[name][1:]
        page.blocks[name] = [*own, *([lambda _: rest[0](context)] if rest else [])]

        return own[0](page)

    return draw


def _async_block(page: Context, site: Context, name: str) -> Draw:
    """The same where the site's templates are asynchronous, which ours are not."""

    own = page.blocks[name]

    async def draw(context: Context) -> AsyncIterator[str]:
        rest: list[Any] = site.blocks[name][1:]
        inherited = [await _gather(rest[0](context))] if rest else []
        page.blocks[name] = [*own, *(lambda _, pieces=pieces: pieces for pieces in inherited)]

        for piece in own[0](page):
            yield piece

    return draw


async def _gather(pieces: AsyncIterator[str]) -> list[str]:
    return [piece async for piece in pieces]
