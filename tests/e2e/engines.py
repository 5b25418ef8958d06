"""What the stories ask of a GitOps engine, whichever it is."""

from __future__ import annotations

from typing import Protocol

import httpx

from tests.e2e.controlplane import ControlPlane
from tests.e2e.processes import Deadline, NotReadyError, wait_for

START_TIMEOUT = 60.0  # seconds
LOOK_AGAIN = 20.0  # seconds
DEPLOY_TIMEOUT = 420.0  # seconds; what a machine that is busy with something else needs


class Engine(Protocol):
    """A GitOps engine on a cluster."""

    cluster: ControlPlane

    def serve(self) -> None:
        """Does what the operator's commands have asked for; called while they run."""

    def refresh(self) -> None:
        """Asks for a look at git and at everything that comes of it, now."""

    def refreshed(self) -> bool:
        """Whether all that `refresh` asked for was done."""

    def deployed(self, commit: str) -> bool:
        """Whether that commit is what runs, and all is well."""

    def messages(self) -> dict[str, str]:
        """What the objects that are not well say, as an operator reads it, by kind and name."""


def deploy(engine: Engine, commit: str) -> None:
    """Waits until `commit` is deployed; asks for a look again and again, as a person who waits does.

    One look may come before what it should see, such as a repo-server that has the new key, and Argo CD keeps for an
    hour what went wrong then.
    """
    look = Deadline(LOOK_AGAIN)

    def check() -> bool:
        nonlocal look
        assert engine.cluster.kubelet is None or engine.cluster.kubelet.works, "what plays the kubelets has ended"
        engine.serve()
        if look.passed():
            engine.refresh()
            look = Deadline(LOOK_AGAIN)
        return engine.deployed(commit)

    def seen() -> str:
        return "\n".join(f"{name}: {text}" for name, text in engine.messages().items())

    engine.refresh()
    wait_for(f"{commit[:12]} is deployed", check, timeout=DEPLOY_TIMEOUT, seen=seen, pause=0.3)


def settled(engine: Engine) -> None:
    """Waits until the engine has looked at everything again."""

    def check() -> bool:
        engine.serve()
        return engine.refreshed()

    engine.refresh()
    wait_for("the engine has looked at everything", check, timeout=DEPLOY_TIMEOUT, pause=0.3)


def complaint(engine: Engine, thing: str, words: str, timeout: float = DEPLOY_TIMEOUT) -> str:
    """Waits until `thing` says something with `words` in it; what it says."""
    said: list[str] = []

    def check() -> bool:
        engine.serve()
        said[:] = [text for name, text in engine.messages().items() if name == thing and words in text]
        return bool(said)

    try:
        wait_for(f"{thing} says {words!r}", check, timeout=timeout, pause=0.3)
    except NotReadyError as error:
        raise NotReadyError(f"{error} Said is: {engine.messages()}") from None
    return said[0]


def healthy(url: str) -> bool:
    """Whether a health endpoint answers 200."""
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
