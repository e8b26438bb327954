"""The shop's chat: what it knows about a customer, and how fast its demo model writes."""

from __future__ import annotations

import os
from datetime import date

from flask_chatstream import ChatStream
from flask_chatstream.providers import Provider
from flask_chatstream.providers.demo import Demo

from .models import Customer, Order, db
from .words import day, money

# Not the ready-made `flask_chatstream.chatstream`: the hooks below would stay on it for every
# other app of the process.
chatstream = ChatStream()

_NOBODY = "The visitor is not signed in. Ask them to sign in when it is about an order."


@chatstream.context
def describe_customer(question: str, owner: str) -> str:
    """Who is asking, and what they have ordered."""

    customer = _find_customer(owner)

    if customer is None:
        return _NOBODY

    lines = "\n".join(_describe(order) for order in customer.orders)

    return f"The customer is {customer.name}. Today is {day(date.today())}. Orders:\n{lines}"


def _find_customer(owner: str) -> Customer | None:
    """The customer behind an owner, whom Flask-Login's users are as ``<table>:<key>``."""

    table, _, key = owner.partition(":")

    return db.session.get(Customer, int(key)) if table == Customer.__tablename__ else None


def _describe(order: Order) -> str:
    products = ", ".join(f"{line.quantity} x {line.product}" for line in order.lines)
    arrival = "arrived" if order.status == "delivered" else "expected"

    return (
        f"- Order {order.id}: {products}; {money(order.total)}; placed {day(order.placed_on)}; "
        f"{order.status_words.lower()}; {arrival} {day(order.expected_on)}"
    )


@chatstream.provider("demo")
def make_demo() -> Provider:
    """The offline model; ``SHOP_DEMO_SPEED`` multiplies its pace."""

    return Demo(speed=float(os.environ.get("SHOP_DEMO_SPEED") or 1))
