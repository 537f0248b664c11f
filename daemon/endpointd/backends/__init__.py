"""What answers the session calls that the daemon cannot answer itself: Dify, or servers of models.

`framing`, `sse`, `choosing` and the translations of `openai` (`prompts`, `results`) are pure.
"""
