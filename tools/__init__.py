"""The programs that this project's own tests run, each installed once and kept by version.

`tools.path("sops")` gives the path of a program (or of a folder, such as a controller's CRDs), and
installs it first where it is missing. Versions, checksums and the ways to get each one are data:
the section `tools` of `policies/pins.yml`.
"""

from tools.errors import ToolError
from tools.install import path

__all__ = ["ToolError", "path"]
