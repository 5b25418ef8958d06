"""What can go wrong while a tool is looked for or installed."""


class ToolError(Exception):
    """No usable tool; the message says what was tried and what to do, and is meant for people."""


class WayError(Exception):
    """One way to a tool does not work here; the next one may. The message says why."""
