"""What the accessibility checker does not measure: edges of controls against their surroundings."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from .looking import open_page
from .stub import Server, Stub

#: Control, the property that shows where it is, and what it must stand out from.
CONTROLS = (
    (".cs-card", "borderTopColor", ".cs-card"),
    (".cs-card", "borderTopColor", ".cs-conversation"),
    (".cs-send", "backgroundColor", ".cs-card"),
    (".cs-act", "color", ".cs-conversation"),
    (".cs-header .cs-tool", "color", ".cs-conversation"),
    (".cs-delete .cs-tool", "color", ".cs-sidebar"),
    (".cs-dot", "backgroundColor", ".cs-sidebar"),
)

RATIO = """([control, property, around]) => {
  const context = document.createElement("canvas").getContext("2d");
  const look = (selector, name) => getComputedStyle(document.querySelector(selector))[name];
  const luminance = (colour) => {
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    const [red, green, blue] = [...context.getImageData(0, 0, 1, 1).data].map((value) =>
      value <= 10 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const pair = [look(control, property), look(around, "backgroundColor")].map(luminance);
  return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_controls_stand_out(
    page: Page, server: Server, stub: Stub, scheme: Literal["light", "dark"]
) -> None:
    stub.conversation().add("assistant", status="generating")
    conversation = stub.conversation()
    conversation.add("assistant").show("<p>An answer</p>")
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    open_page(page, server, f"c/{conversation.id}")
    page.locator("textarea").fill("A question")
    page.locator("textarea").evaluate("(field) => field.blur()")
    expect(page.locator(".cs-send")).to_be_enabled()

    ratios = {control: page.evaluate(RATIO, list(control)) for control in CONTROLS}
    assert {control: ratio for control, ratio in ratios.items() if ratio < 3} == {}
