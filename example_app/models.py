"""The shop's own tables."""

from __future__ import annotations

from datetime import date

from flask_login import UserMixin
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship
from werkzeug.security import check_password_hash, generate_password_hash

db = SQLAlchemy()

#: How far an order has come, in order, with the words for it.
STEPS = {
    "placed": "Order placed",
    "packed": "Packed in the greenhouse",
    "sent": "Handed to the carrier",
    "delivered": "Delivered",
}


class Customer(UserMixin, db.Model):  # type: ignore[misc, name-defined]
    """Somebody who can sign in."""

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    email: Mapped[str] = mapped_column(String(120), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    orders: Mapped[list[Order]] = relationship(
        back_populates="customer", order_by="Order.placed_on.desc()"
    )

    @property
    def first_name(self) -> str:
        """What the shop calls its customer."""

        return self.name.partition(" ")[0]

    def set_password(self, password: str) -> None:
        """Keep a password's hash."""

        self.password_hash = generate_password_hash(password)

    def has_password(self, password: str) -> bool:
        """Whether this is the password."""

        return check_password_hash(self.password_hash, password)


class Order(db.Model):  # type: ignore[misc, name-defined]
    """What a customer bought at one time; ``status`` is a key of `STEPS`."""

    __tablename__ = "customer_order"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    status: Mapped[str] = mapped_column(String(20))
    placed_on: Mapped[date]
    expected_on: Mapped[date]
    customer: Mapped[Customer] = relationship(back_populates="orders")
    lines: Mapped[list[OrderLine]] = relationship(
        back_populates="order", cascade="all, delete-orphan", order_by="OrderLine.id"
    )

    @property
    def total(self) -> int:
        """The price of all lines, in pence."""

        return sum(line.total for line in self.lines)

    @property
    def status_words(self) -> str:
        """The status in words."""

        return STEPS[self.status]

    def has_reached(self, step: str) -> bool:
        """Whether the order has come as far as a step."""

        steps = list(STEPS)

        return steps.index(step) <= steps.index(self.status)


class OrderLine(db.Model):  # type: ignore[misc, name-defined]
    """One product of an order; ``price`` is of one piece, in pence."""

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("customer_order.id"), index=True)
    product: Mapped[str] = mapped_column(String(120))
    picture: Mapped[str] = mapped_column(String(20))
    quantity: Mapped[int]
    price: Mapped[int]
    order: Mapped[Order] = relationship(back_populates="lines")

    @property
    def total(self) -> int:
        """The price of all pieces, in pence."""

        return self.quantity * self.price
