"""The runbook's procedures, one file per noun, written against AWS's API and nothing else.

An operation is a plain function that takes a `Cloud` and names and returns a frozen dataclass that msgspec
encodes. It raises `miyabi.model.errors`, prints nothing and asks nothing: the caller shows and confirms. It
does not know which cloud answers.
"""
