"""Token addresses: a YAML file `TOKEN: 0x…` in, checksummed addresses (EIP-55) per token out."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from Crypto.Hash import keccak

from momentum_opt.errors import ConfigError
from momentum_opt.fingerprint.mistakes import first_of, show
from momentum_opt.fingerprint.source import Source, read_source

_ADDRESS = re.compile(r"0[xX][0-9a-fA-F]{40}")


def checksummed(address: str) -> str:
    """The address with the capitals that EIP-55 gives it: a letter is a capital where the hash's digit is 8 or more."""
    digits = address[2:].lower()
    digest = keccak.new(digest_bits=256, data=digits.encode()).hexdigest()
    mixed = (digit.upper() if int(mark, 16) >= 8 else digit for digit, mark in zip(digits, digest, strict=False))
    return "0x" + "".join(mixed)


def read_addresses(file: Path, tokens: Sequence[str]) -> dict[str, str]:
    """The address of every token of a pool, checksummed.

    Args:
        file: YAML, one line `TOKEN: 0x…` for each token.
        tokens: names of the pool's tokens.

    Raises:
        ConfigError: all mistakes at once: a token that is missing or not in the pool, what is no address, a checksum
            that does not fit, the zero address, or one address for two tokens.
    """
    source = read_source(file, what="a file of addresses, one line TOKEN: 0x… for each token")
    problems = [f"{source.prefix(mistake.at)}: {mistake.text()}" for mistake in source.mistakes]
    problems += _name_problems(source, tokens)
    given = {token: source.tree[token] for token in tokens if token in source.tree}
    for token, address in given.items():
        problem = _address_problem(address)
        if problem:
            problems.append(f"{source.prefix((token,))}: {problem}")
    if not problems:
        problems += _repeated(source, given)
    if problems:
        raise ConfigError(first_of(problems))
    return {token: checksummed(address) for token, address in given.items()}


def _name_problems(source: Source, tokens: Sequence[str]) -> Iterator[str]:
    missing = [token for token in tokens if token not in source.tree]
    if missing:
        yield f"{source.name}: no address for {', '.join(missing)}; add a line `{missing[0]}: 0x…`"
    for token in source.tree:
        if token not in tokens:
            yield f"{source.prefix((token,))}: not a token of this pool, which holds {', '.join(tokens)}; remove it"


def _address_problem(address: Any) -> str | None:
    if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
        return f"not an address ({show(address)}); write 0x and 40 hexadecimal digits"
    digits = address[2:]
    if int(digits, 16) == 0:
        return "the zero address; write the token's own"
    if digits not in (digits.lower(), digits.upper()) and checksummed(address)[2:] != digits:
        return f"the checksum of {address} does not fit (EIP-55): a digit is wrong; copy the address again"
    return None


def _repeated(source: Source, given: Mapping[str, str]) -> Iterator[str]:
    first: dict[str, str] = {}
    for token, address in given.items():
        other = first.setdefault(address.lower(), token)
        if other != token:
            yield f"{source.prefix((token,))}: the same address as {other}; each token has its own"
