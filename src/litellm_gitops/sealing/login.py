"""What tells sops who the operator is: files, profiles, keys and commands that his environment names.

They are meant from where he stands, and sops runs in the root of the repository, where another file may have that name.
What came by git is nobody's login, and no program of it is run.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from litellm_gitops.files import Held, reach
from litellm_gitops.sealing.errors import SealingError

# Names of files, profiles and private endpoints. AWS_ACCESS_KEY_ID and AZURE_CLIENT_SECRET are inputs of sealing, and
# the proxy's.
_CLOUD = re.compile(
    r"AWS_(?:PROFILE|REGION|DEFAULT_REGION|CONFIG_FILE|SHARED_CREDENTIALS_FILE|ROLE_ARN|WEB_IDENTITY_TOKEN_FILE)"
    r"|AWS_ENDPOINT_URL_(?:KMS|STS)|SOPS_GCP_KMS_(?:CLIENT_TYPE|ENDPOINT|UNIVERSE_DOMAIN)"
    r"|GOOGLE_APPLICATION_CREDENTIALS|CLOUDSDK_CONFIG|AZURE_CONFIG_DIR|AZURE_TOKEN_CREDENTIALS"
    r"|HTTPS?_PROXY|https?_proxy|NO_PROXY|no_proxy|SSL_CERT_(?:FILE|DIR)"
)
# Where sops looks for an age key: https://getsops.io/docs/#encrypting-using-age
_AGE = re.compile(r"SOPS_AGE_KEY(?:_FILE|_CMD)?|SOPS_AGE_SSH_PRIVATE_KEY_(?:FILE|CMD)|XDG_CONFIG_HOME")
_PLACE = re.compile(r".+_(?:FILE|DIR|CREDENTIALS|CONFIG|HOME)(?<!TOKEN_CREDENTIALS)")
# sops splits a command as a shell does and runs it without one
_THERE = ("/bin/sh", "-c", 'cd "$0" && exec "$@"')


def of_clouds(root: Path) -> dict[str, str]:
    """What says to the key service of a cloud who runs this. Raises SealingError for a file that came by git."""
    return _chosen(_CLOUD, root)


def of_age(root: Path) -> dict[str, str]:
    """Where the operator's age keys are. Raises SealingError for what came by git."""
    return _chosen(_AGE, root)


def command(name: str, root: Path) -> str:
    """The command in a variable, as it runs in the folder of the caller; empty where there is none.

    Raises SealingError where its program lies in the repository, or an argument is a file that came by git.
    """
    try:
        words = shlex.split(os.environ.get(name, ""))
    except ValueError:
        raise SealingError(f"{name} has a quotation mark without its pair. Nothing was changed.") from None
    if not words:
        return ""
    if os.sep in words[0]:  # else PATH says where it is
        words[0] = str(Path(words[0]).absolute())
        if Path(words[0]).resolve().is_relative_to(reach(root.resolve())):
            raise _refusal(name, words[0])
    held = Held(root)
    for path in (Path(word.rpartition("=")[2]) for word in words):
        if path.is_file() and held.holds(path):
            raise _refusal(name, str(path))
    return shlex.join([*_THERE, str(Path.cwd()), *words])


def _chosen(wanted: re.Pattern[str], root: Path) -> dict[str, str]:
    found = {name: value for name, value in os.environ.items() if value and wanted.fullmatch(name)}
    held = Held(root)
    for name, value in found.items():
        if name.endswith("_CMD"):
            found[name] = command(name, root)
        elif _PLACE.fullmatch(name):
            parts = value.split(os.pathsep) if name == "SSL_CERT_DIR" else [value]
            paths = [Path(each).absolute() for each in parts]
            for path in paths:
                if held.holds(path) or held.holds_below(path):
                    raise _refusal(name, str(path))
            found[name] = os.pathsep.join(map(str, paths))
    return found


def _refusal(name: str, what: str) -> SealingError:
    return SealingError(
        f"{name} names {what}, which lies in the repository, where whoever writes to git decides what it is: name what "
        "is yours alone. Nothing was changed."
    )
