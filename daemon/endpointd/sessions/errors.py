"""Why a call of a plugin's is not answered."""


class CallRefused(Exception):
    """`code` is one of a fixed set, for the plugin; `text` says to its author what happened, and what to do."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
