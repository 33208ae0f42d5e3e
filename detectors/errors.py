"""Errors that a person may see. Each carries a code for programs, a plain sentence and a remedy."""

from __future__ import annotations


class CounterproofError(Exception):
    """Base of every error that is shown to the user.

    `code` is a stable snake_case word for programs, `message` one plain sentence, `remedy` what to do next.
    """

    status = "unreadable"

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.remedy = remedy

    def to_json(self) -> dict[str, str]:
        """The `error` object of `counterproof.scan/1`."""
        return {"code": self.code, "message": self.message, "remedy": self.remedy}


class FileRefused(CounterproofError):
    """The file may be sound, but a rule says not to open it: not a picture, a limit exceeded, not a regular file."""

    status = "refused"


class FileUnreadable(CounterproofError):
    """The file should have been a picture, but it could not be read or decoded."""

    status = "unreadable"


class SetupError(CounterproofError):
    """This installation cannot do its job: a model is missing or altered, a library does not load."""
