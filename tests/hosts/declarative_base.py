"""A blog with typed models on ``SQLAlchemy(model_class=DeclarativeBase)``."""

from __future__ import annotations

from flask import Blueprint, Flask, render_template_string
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ForeignKey, String, Text, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tests.hosts.deployment import Deployment


class Base(DeclarativeBase):
    """What all of the blog's models have."""

    id: Mapped[int] = mapped_column(primary_key=True)


db = SQLAlchemy(model_class=Base)
migrate = Migrate(db=db)
blog = Blueprint("blog", __name__)


class Author(db.Model):  # type: ignore[name-defined, misc]
    name: Mapped[str] = mapped_column(String(60))
    posts: Mapped[list[Post]] = relationship(back_populates="author")


class Post(db.Model):  # type: ignore[name-defined, misc]
    slug: Mapped[str] = mapped_column(String(60), unique=True)
    body: Mapped[str] = mapped_column(Text)
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    author: Mapped[Author] = relationship(back_populates="posts")


def make_row() -> object:
    return Post(slug="first", body="Hello, world.", author=Author(name="Ada"))


@blog.get("/")
def index() -> str:
    posts = db.session.scalars(select(Post).order_by(Post.slug))

    return render_template_string(
        "{% for p in posts %}<h2>{{ p.slug }}</h2>{% endfor %}", posts=posts
    )


@blog.get("/posts/<slug>")
def post(slug: str) -> str:
    found = db.one_or_404(select(Post).filter_by(slug=slug))

    return render_template_string("<p>{{ p.body }} ({{ p.author.name }})</p>", p=found)


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.from_mapping(SECRET_KEY="a blog's", SQLALCHEMY_DATABASE_URI=deployment.url)
    db.init_app(app)
    migrate.init_app(app, directory=deployment.migrations)
    app.register_blueprint(blog)

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app
