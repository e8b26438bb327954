"""What the demo shop begins with: two customers and their orders."""

from __future__ import annotations

from datetime import date, timedelta

from .models import Customer, Order, OrderLine

#: The password of both, which the sign-in page tells everybody.
PASSWORD = "greenhouse"

_MONSTERA = ("Monstera deliciosa, 60 cm", "plant", 3400)
_FERN = ("Boston fern, 40 cm", "plant", 1900)
_POT = ("Terracotta pot, 21 cm", "pot", 1250)
_KETTLE = ("Cast-iron kettle, 0.9 l", "kettle", 5200)
_SENCHA = ("Sencha, 100 g", "tea", 980)
_EARL = ("Earl Grey with bergamot, 100 g", "tea", 860)
_CUPS = ("Two stoneware cups", "cup", 2400)

_Line = tuple[tuple[str, str, int], int]


def demo_customers() -> list[Customer]:
    """Ada and Grace with their orders, dated as of today."""

    ada = _customer("Ada Lovelace", "ada@example.com")
    ada.orders = [
        _order(1042, "sent", 4, 2, [(_MONSTERA, 1), (_POT, 1), (_SENCHA, 2)]),
        _order(1038, "delivered", 11, -6, [(_KETTLE, 1)]),
        _order(1021, "delivered", 63, -59, [(_FERN, 2), (_POT, 2)]),
    ]
    grace = _customer("Grace Hopper", "grace@example.com")
    grace.orders = [
        _order(1043, "packed", 1, 3, [(_FERN, 1), (_EARL, 1)]),
        _order(1030, "delivered", 34, -30, [(_CUPS, 1), (_SENCHA, 1), (_EARL, 1)]),
    ]

    return [ada, grace]


def _customer(name: str, email: str) -> Customer:
    customer = Customer(name=name, email=email)
    customer.set_password(PASSWORD)

    return customer


def _order(id: int, status: str, days_ago: int, expected_in: int, lines: list[_Line]) -> Order:
    today = date.today()

    return Order(
        id=id,
        status=status,
        placed_on=today - timedelta(days=days_ago),
        expected_on=today + timedelta(days=expected_in),
        lines=[
            OrderLine(product=product, picture=picture, price=price, quantity=quantity)
            for (product, picture, price), quantity in lines
        ],
    )
