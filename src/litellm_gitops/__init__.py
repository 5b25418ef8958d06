"""What acts on and evaluates a repository that this template rendered: sealing, the login at Copilot, the rules."""

import sys

if sys.version_info < (3, 11):  # an entry point says of what is not there how to run it
    raise ModuleNotFoundError("Python 3.11 or newer is needed", name="Python 3.11 or newer")
