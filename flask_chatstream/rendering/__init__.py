"""Markdown to HTML that is safe to show: a whole text at once, or a growing one block by block.

Text in, ``Markup`` out: nothing here knows Flask, a database or a viewer. `safety` holds the
allow-list, `markdown` renders one block, `cutting` finds where blocks end, `healing` closes what is
half written, `incremental` puts them together.
"""

from .incremental import RENDERER_VERSION, IncrementalMarkdown, render_markdown

__all__ = ["RENDERER_VERSION", "IncrementalMarkdown", "render_markdown"]
