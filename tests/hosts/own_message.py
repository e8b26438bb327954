"""A mailbox with classes that are called as ours are: ``Message``, ``Conversation``, ``Base``."""

from __future__ import annotations

from flask import Flask, render_template_string
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ForeignKey, String, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tests.hosts.deployment import Deployment

sent: list[str] = []


class Base(DeclarativeBase):
    """The mailbox's own."""


db = SQLAlchemy(model_class=Base)


class Conversation(db.Model):  # type: ignore[name-defined, misc]
    __tablename__ = "conversation"
    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(String(80))
    messages: Mapped[list[Message]] = relationship("Message", back_populates="conversation")


class Message(db.Model):  # type: ignore[name-defined, misc]
    __tablename__ = "message"
    id: Mapped[int] = mapped_column(primary_key=True)
    body: Mapped[str]
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversation.id"))
    conversation: Mapped[Conversation] = relationship("Conversation", back_populates="messages")


@event.listens_for(Message, "after_insert")
def notify(mapper: object, connection: object, message: Message) -> None:
    sent.append(message.body)


def make_row() -> object:
    return Message(body="Where are you?", conversation=Conversation(subject="Lunch"))


def create_app(deployment: Deployment) -> Flask:
    app = Flask(__name__, instance_path=deployment.instance)
    app.config.update(SECRET_KEY="a mailbox's", SQLALCHEMY_DATABASE_URI=deployment.url)
    db.init_app(app)
    Migrate(app, db, directory=deployment.migrations)

    @app.get("/")
    def index() -> str:
        found = db.session.scalars(select(Conversation)).all()

        return render_template_string(
            "{% for c in found %}{{ c.subject }} ({{ c.messages | length }}){% endfor %}",
            found=found,
        )

    @app.get("/messages/<int:id>")
    def message(id: int) -> dict[str, object]:
        found = db.get_or_404(Message, id)

        return {"body": found.body, "subject": found.conversation.subject}

    if deployment.chat is not None:
        app.register_blueprint(deployment.chat)

    return app
