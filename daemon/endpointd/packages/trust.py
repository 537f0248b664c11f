"""Decides whether a package can be trusted because of its signature, and what follows if not. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

from endpointd.packages.errors import PackageError
from endpointd.packages.seal import Seal, Statement, has_names_as_signed, signed_text

Policy: TypeAlias = Literal["off", "warn", "require"]
Signer: TypeAlias = Callable[[bytes, bytes], str | None]
"""Called with a text and a signature: returns the file of the trusted key that has made the signature, or None."""


@dataclass(frozen=True, slots=True)
class Trust:
    """The result of checking a signature. `signer` is the file of the trusted key; None if no trusted key has made the
    signature, or there is no signature. `signed_at` is in seconds since the epoch. `category` and `covers_names` are
    set only if the package is trusted."""

    is_signed: bool
    signer: str | None = None
    signed_at: int | None = None
    category: str | None = None
    covers_names: bool = False
    fault: PackageError | None = None
    """Why the package cannot be trusted; None if it can."""

    def as_dict(self) -> dict[str, object]:
        told = {name: value for name, value in asdict(self).items() if name != "fault"}
        return told | {"problem": None if self.fault is None else self.fault.message}


def judge(seal: Seal | None, statement: Statement, digests: Sequence[tuple[str, bytes]], signer: Signer) -> Trust:
    """Check the signature. `digests` are those of all files in the order of the archive; `statement` is the content of
    the last file."""
    if seal is None:
        return Trust(
            is_signed=False, fault=_untrusted("it is not signed", "get a signed one, or look at its files and sign it")
        )
    known = signer(signed_text(digests, seal.time), seal.signature)
    if known is None:
        why = "none of the trusted keys has signed it as it is: it was changed, or signed with another key"
        fault = _untrusted(why, "get it again from its author, or add the author's public key to package_keys")
        return Trust(is_signed=True, signed_at=seal.time, fault=fault)
    names = has_names_as_signed(statement, digests)
    if names is False:
        fault = _untrusted("its files have other names than when it was signed", "do not use it; get it again")
        return Trust(is_signed=True, signed_at=seal.time, fault=fault)
    return Trust(True, known, seal.time, statement.category, bool(names))


def enforce(policy: Policy, trust: Trust) -> list[str]:
    """Apply the policy; returns warnings. Raises `PackageError` if the package may not be installed."""
    if trust.fault is None or policy == "off":
        return []
    if policy == "require":
        raise trust.fault
    return [f"{trust.fault.message}; {trust.fault.remedy}"]


def _untrusted(why: str, remedy: str) -> PackageError:
    return PackageError("package_untrusted", f"the package cannot be trusted: {why}", remedy)
