"""The blueprint: what a site registers, and the hooks by which it makes the chat its own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

from flask import (
    Blueprint,
    Flask,
    after_this_request,
    appcontext_pushed,
    current_app,
    has_request_context,
    request_started,
)
from flask.blueprints import BlueprintSetupState

from . import answer, cli, owners, views
from .access import Authorizer, OwnerLoader, find_owner, keep_owner
from .answer import Answer
from .config import Settings
from .conversations import Ask, Deleted, Turn, check_key, check_question
from .errors import ConfigurationError, SignInRequired
from .mounts import ContextHook, add_mount
from .providers import Provider
from .providers.routing import Routing
from .state import State, get_state

Factory = Callable[[], Provider]
H = TypeVar("H", bound=Callable[..., Any])


class ChatStream(Blueprint):
    """A chat to be registered in any Flask app.

    ``name`` tells several chats of one site apart; each has its own conversations. ``provider``
    is a provider's name or a provider, ``model`` the model it is asked for, ``instructions`` the
    system prompt of this chat. What is None is left to the ``CHATSTREAM_*`` settings.

        chatstream = ChatStream("support", url_prefix="/help", instructions="Be brief.")
        app.register_blueprint(chatstream)
    """

    def __init__(
        self,
        name: str = "chatstream",
        *,
        url_prefix: str = "/chat",
        provider: str | Provider | None = None,
        model: str | None = None,
        instructions: str | None = None,
        title: str | None = None,
    ):
        super().__init__(
            name,
            "flask_chatstream",
            url_prefix=url_prefix,
            template_folder="templates",
            static_folder="static",
            # Below a mount at the site's root, /static is the host's own.
            static_url_path="/chatstream-static",
            cli_group="chatstream",
        )
        self.model = model
        self.instructions = instructions
        self.title = title
        self.owner_hook: OwnerLoader | None = None
        self.authorize_hook: Authorizer | None = None
        self.context_hooks: list[ContextHook] = []
        self.providers: dict[str, Provider | Factory] = {}
        self._provider = self._named(provider)
        self.record(self._attach)
        views.add_to(self)
        cli.register(self)

    def _named(self, provider: str | Provider | None) -> str | None:
        if provider is None or isinstance(provider, str):
            return provider

        self.providers[provider.name] = provider

        return provider.name

    def _attach(self, setup: BlueprintSetupState) -> None:
        state = setup.app.extensions.get("chatstream")

        if state is None:
            state = setup.app.extensions["chatstream"] = State(
                cast(Flask, setup.app), views.add_globals
            )
            appcontext_pushed.connect(_bind, sender=setup.app)
            request_started.connect(_begin, sender=setup.app)

        if current_app and current_app == setup.app:  # no other context may follow
            state.meet_host()

        add_mount(state.mounts, self)
        prefix = f"{setup.name_prefix}." if setup.name_prefix else ""
        state.names.setdefault(self.name, f"{prefix}{setup.name}")

    def routing(self, settings: Settings) -> Routing:
        """Which provider and model answer here, under an app's settings."""

        return Routing(settings, self.providers, self._provider, self.model)

    def owner_loader(self, hook: OwnerLoader) -> OwnerLoader:
        """Say who owns the chats of this request: a string or whole number, or None for nobody.

        @chatstream.owner_loader
        def owner():
            return session.get("user_id")
        """

        self.owner_hook = hook

        return hook

    def authorize(self, hook: Authorizer) -> Authorizer:
        """Say whether an owner may do something; asked for every act, before anything is stored.

        The act is one of those in ``docs/logins.md``, the object the id of the conversation or
        message, or None. What is not True is answered with 403, or 404 for what is not theirs;
        an exception propagates.

            @chatstream.authorize
            def may(act, owner, object):
                return act != "ask" or current_user.has_paid
        """

        self.authorize_hook = hook

        return hook

    def context(self, hook: ContextHook) -> ContextHook:
        """Add text to the system prompt for one question, e.g. what a search has found.

        Called in an app context with the question and the owner; None adds nothing.

            @chatstream.context
            def manual(question, owner):
                return search_manual(question)
        """

        self.context_hooks.append(hook)

        return hook

    def provider(self, name: str) -> Callable[[Factory], Factory]:
        """Register a function that makes a provider, to be chosen by ``CHATSTREAM_PROVIDER``.

        @chatstream.provider("acme")
        def make():
            return Acme(key=os.environ["ACME_KEY"])
        """

        def register(factory: Factory) -> Factory:
            self.providers[name] = factory

            return factory

        return register

    def ask(
        self,
        text: str,
        conversation: str | None = None,
        *,
        owner: str | None = None,
        key: str | None = None,
        model: str | None = None,
        title: str | None = None,
    ) -> Answer:
        """Ask from the site's own code; the answer is written in the background.

        ``conversation`` is an id, or None for a new one, for which ``title`` and ``model`` are.
        ``owner`` is whose chat it is; in a request it may be left out and is the visitor. The same
        ``key`` (64 visible ASCII characters) of the same owner again asks nothing anew and gives
        the first answer. Needs an app context.

        Raises `InvalidRequest`, `NotFound`, `Conflict`, `SignInRequired`, `ShuttingDown`,
        `SchemaError`, `ConfigurationError` and `StorageUnavailable`, with nothing stored.

            report = chatstream.ask("Summarise today's orders.", owner="user:1").wait(60).text
        """

        state = get_state()
        state.ready()
        wanted = Ask(
            owner=self._visitor(state) if owner is None else owner,
            mount=self.name,
            turns=(Turn("user", check_question(text, state.settings.max_message_chars)),),
            conversation_id=conversation,
            key=check_key(key),
            model=model,
            title=title,
        )

        return answer.ask(state, wanted)

    def claim(self, owner: str | None = None) -> int:
        """Give this visitor's anonymous chats to who has just signed in; how many there were.

        To be called in the view that signs somebody in, after it has done so. ``owner`` may be
        left out and is who is signed in. All chats of the site move, in one transaction, and the
        anonymous id is taken from the browser; a second call finds nothing to do.

        Raises `SignInRequired` when nobody is signed in, `SchemaError` and `StorageUnavailable`.

            login_user(user)
            chatstream.claim()
        """

        owner = owner or find_owner(self.owner_hook)

        if owner is None:
            raise SignInRequired("Nobody is signed in who could claim the chats.")

        return owners.claim(get_state(), owner)

    def revoke(self, owner: str) -> None:
        """End all event streams of an owner, here at once and in other processes within seconds.

        For a log-out or a change of rights: who is still admitted comes back by itself, and
        answers are written on. Flask-Login's log-out does it by itself. Needs an app context.

        Raises `SchemaError` and `StorageUnavailable`.
        """

        owners.revoke(get_state(), owner)

    def delete_owner(
        self, owner: str, *, progress: Callable[[Deleted], object] | None = None
    ) -> Deleted:
        """Delete all that an owner has, in all chats of the site; how much it was.

        Each conversation goes in a transaction of its own, and ``progress`` is told the sum so
        far after each; a deletion that was broken off is called again. Answers that are being
        written are stopped, viewers are told. Close the account first, so that nothing new is
        asked meanwhile. Needs an app context.

        Raises `SchemaError` and `StorageUnavailable`.

            deleted = chatstream.delete_owner(f"user:{user.id}")
        """

        return owners.delete(get_state(), owner, progress)

    def _visitor(self, state: State) -> str:
        if not has_request_context():
            raise TypeError("ask() needs an owner outside of a request: owner=...")

        # A visitor whose first chat this is gets the cookie with the host's own response.
        after_this_request(keep_owner)

        return owners.get_owner(state, self.owner_hook)


def _bind(app: Flask, **extra: Any) -> None:
    # Flask pushes the request's context behind this one: an error would leave the site without
    # any page, and would not be told.
    with suppress(ConfigurationError):
        _take_part(app)


def _begin(app: Flask, **extra: Any) -> None:
    state: State = app.extensions["chatstream"]
    names = [name for name, found in app.blueprints.items() if isinstance(found, ChatStream)]
    state.addresses.check(app, names)

    try:
        _take_part(app)
    except ConfigurationError:
        if app.testing:
            raise


def _take_part(app: Flask) -> None:
    state: State = app.extensions["chatstream"]
    state.bind()
    owners.follow_users(state)
