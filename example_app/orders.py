"""A customer's orders."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required
from sqlalchemy import select

from .models import STEPS, Order, db

orders = Blueprint("orders", __name__, url_prefix="/orders")


@orders.get("/")
@login_required  # type: ignore[untyped-decorator]
def index() -> ResponseReturnValue:
    """All of them, the newest first."""

    return render_template("shop/orders.html", orders=current_user.orders)


@orders.get("/<int:order_id>")
@login_required  # type: ignore[untyped-decorator]
def detail(order_id: int) -> ResponseReturnValue:
    """One order; somebody else's is not found."""

    wanted = select(Order).where(Order.id == order_id, Order.customer_id == current_user.id)

    return render_template("shop/order.html", order=db.one_or_404(wanted), steps=STEPS)
