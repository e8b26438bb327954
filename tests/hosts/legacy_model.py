"""A shop in the style of the first tutorials: ``db.Model``, ``db.Column``, ``Model.query``."""

from __future__ import annotations

from flask import Flask, render_template_string
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

from tests.hosts.deployment import Deployment

db = SQLAlchemy()
migrate = Migrate()


class Category(db.Model):  # type: ignore[name-defined, misc]
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(40), unique=True, nullable=False)
    products = db.relationship("Product", backref="category", lazy="dynamic")


class Product(db.Model):  # type: ignore[name-defined, misc]
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(80), index=True, nullable=False)
    price = db.Column(db.Numeric(8, 2), default=0)
    category_id = db.Column(db.Integer, db.ForeignKey("category.id"))


def make_row() -> object:
    return Product(name="Tea pot", price=12, category=Category(name="Kitchen"))


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config["SECRET_KEY"] = "a shop's"
    app.config["SQLALCHEMY_DATABASE_URI"] = deployment.url
    app.config["SQLALCHEMY_TRACK_MODIFICATIONS"] = False
    db.init_app(app)
    migrate.init_app(app, db, directory=deployment.migrations)

    @app.context_processor
    def categories() -> dict[str, object]:
        return {"categories": Category.query.order_by(Category.name)}

    @app.route("/")
    def index() -> str:
        page = "{% for category in categories %}{{ category.name }}: {% for product in "
        page += "category.products %}{{ product.name }} {{ product.price }}{% endfor %}{% endfor %}"

        return render_template_string(page)

    @app.route("/products/<int:id>")
    def product(id: int) -> str:
        return str(Product.query.get_or_404(id).name)

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app
