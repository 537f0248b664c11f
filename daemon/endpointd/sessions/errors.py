"""The error with which a session call is refused."""


class CallRefused(Exception):
    """The call is not answered, or not completely. `code` is one of a fixed set (see `InvocationError` in the built-in
    `dify_plugin`); `text` tells the plugin's author what happened and what to do."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
