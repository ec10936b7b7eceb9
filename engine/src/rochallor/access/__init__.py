"""Who may do what: roles, tokens, and the one check in front of every operation.

Here is what a caller's bearer token says about them; nothing of HTTP, gRPC, instances or jobs. A door asks
`Guard.admit(operation, authorization)` once per request and is given the `Caller`, or an error to answer with.

What would break it: a second place that decides about a role, a token kept as text, a secret in a sentence.
"""

from rochallor.access.file import TokensFile
from rochallor.access.guard import Guard
from rochallor.access.reading import TokensError, read_tokens
from rochallor.access.roles import ALLOWED, OPEN, Role
from rochallor.access.tokens import ANYBODY, Caller, Token, TokenBook, hash_of, mint

__all__ = [
    "ALLOWED",
    "ANYBODY",
    "OPEN",
    "Caller",
    "Guard",
    "Role",
    "Token",
    "TokenBook",
    "TokensError",
    "TokensFile",
    "hash_of",
    "mint",
    "read_tokens",
]
