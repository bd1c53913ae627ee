from pathlib import Path

import pytest

from momentum_opt.errors import ConfigError
from momentum_opt.onchain.addresses import checksummed, read_addresses

EIP_55 = (
    "0x52908400098527886E0F7030069857D2E4169EE7", "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77", "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
)  # fmt: skip
"""The test cases that EIP-55 publishes."""

BTC, ETH = EIP_55[4], EIP_55[5]


def addresses(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "tokens.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("address", EIP_55)
def test_the_published_checksums(address: str):
    assert checksummed(address.lower()) == checksummed("0x" + address[2:].upper()) == address


@pytest.mark.parametrize("change", [str, str.lower, lambda address: "0x" + address[2:].upper()])
def test_read(tmp_path: Path, change):
    file = addresses(tmp_path, f"# mainnet\nETH: {change(ETH)}\nBTC: '{change(BTC)}'\n")
    assert read_addresses(file, ("BTC", "ETH")) == {"BTC": BTC, "ETH": ETH}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"BTC: {BTC}", r"no address for ETH; add a line `ETH: 0x"),
        (f"BTC: {BTC}\nETH: {ETH}\nSOL: {EIP_55[6]}", r":3: SOL: not a token of this pool, which holds BTC, ETH"),
        (f"BTC: {BTC}\nETH: {ETH[:-1]}", r":2: ETH: not an address \("),
        (f"BTC: {BTC}\nETH: 17", r":2: ETH: not an address \(17\); write 0x and 40"),
        (f"BTC: {BTC}\nETH: [{ETH}]", r":2: ETH: not an address"),
        (f"BTC: {BTC}\nETH: 0x{'0' * 40}", r":2: ETH: the zero address"),
        (f"BTC: {BTC}\nETH: {ETH[:-1]}A", r":2: ETH: the checksum of \S+ does not fit \(EIP-55\)"),
        (f"BTC: {BTC}\nETH: {BTC.lower()}", r":2: ETH: the same address as BTC"),
        (f"BTC: {BTC}\nBTC: {ETH}\nETH: {ETH}", r"BTC: given twice"),
        ("- BTC", r":1: not a mapping"),
        ("", r"no address for BTC, ETH"),
    ],
)
def test_refused(tmp_path: Path, text: str, said: str):
    with pytest.raises(ConfigError, match=said):
        read_addresses(addresses(tmp_path, text), ("BTC", "ETH"))


def test_the_same_address_in_a_pool_whose_tokens_are_in_no_order(tmp_path: Path):
    with pytest.raises(ConfigError, match="BTC: the same address as ETH"):
        read_addresses(addresses(tmp_path, f"BTC: {BTC}\nETH: {BTC}"), ("ETH", "BTC"))


def test_all_mistakes_at_once(tmp_path: Path):
    with pytest.raises(ConfigError) as caught:
        read_addresses(addresses(tmp_path, f"BTC: 1\nETH: 2\nSOL: {ETH}\n"), ("BTC", "ETH"))
    assert len(caught.value.problems) == 3


def test_no_file(tmp_path: Path):
    with pytest.raises(ConfigError, match="no such file"):
        read_addresses(tmp_path / "none.yaml", ("BTC", "ETH"))
