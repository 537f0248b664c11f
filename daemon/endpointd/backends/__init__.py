"""The backends, which answer the session calls that the daemon cannot answer itself: Dify, or servers of models.

`switchboard` chooses a backend by the rules of `choosing`; `dify_inner`, `dify_api` and `openai` are the three types,
and `http` makes their requests. `framing`, `sse`, `choosing`, and the translations of `openai` (`prompts`, `results`),
are pure.
"""
