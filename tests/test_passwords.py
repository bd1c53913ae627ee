"""Passwords in text: whatever the form of a URL, and whoever quotes it."""

import io
import sys
from typing import Any

import pytest
import yaml

from momentum_opt.errors import ConfigError, StorageError
from momentum_opt.fingerprint import load_fingerprint, recordable, recordable_text
from momentum_opt.passwords import HIDDEN, masked_messages, remember, without_password, without_passwords
from tests.cli.damage import CONFIG

HIDDEN_IN = [
    ("postgresql://u:S3CRET@h/db", "postgresql://u:***@h/db"),
    ("postgresql+psycopg://u:S3CRET@[::1]:5432/db", "postgresql+psycopg://u:***@[::1]:5432/db"),
    ("postgresql://:S3CRET@h/db", "postgresql://:***@h/db"),
    ("postgresql://u:S3@CRET@h/db", "postgresql://u:***@h/db"),
    ("postgresql://u:S3/CRET@h/db", "postgresql://u:***@h/db"),
    ("postgresql://u:S3?CRET@h/db", "postgresql://u:***@h/db"),
    ("postgresql://u:S3#CRET@h/db", "postgresql://u:***@h/db"),
    ("postgresql://u:S3 CRET@h/db", "postgresql://u:***@h/db"),
    ("postgresql://u:S3%40CRET@h/db", "postgresql://u:***@h/db"),
    ("postgresql:/u:S3CRET@h/s", "postgresql:/u:***@h/s"),
    ("postgresql:u:S3CRET@h/s", "postgresql:***@h/s"),
    ("postgresql//u:S3CRET@h/s", "postgresql//u:***@h/s"),
    ("u:S3CRET@h/s", "u:***@h/s"),
    ("postgresql://u:S3CRET/db", "postgresql://u:***/db"),
    ("postgresql://u@h:S3CRET/db", "postgresql://u@h:***/db"),
    ("postgresql%3A//u%3AS3CRET%40h/db", "postgresql://u:***@h/db"),
    ("postgresql://h/db?user=u&password=S3CRET", "postgresql://h/db?user=u&password=***"),
    ("postgresql://h/db?password=S3CRET&user=u", "postgresql://h/db?password=***&user=u"),
    ("postgresql://h/db?password=S3&CRET", "postgresql://h/db?password=***"),
    ("postgresql://h/db?%70assword=S3CRET", "postgresql://h/db?password=***"),
    ("postgresql://h/db?PASSWORD=S3CRET", "postgresql://h/db?PASSWORD=***"),
    ("mssql://u@h/db?odbc_connect=DRIVER%3DX%3BPWD%3DS3CRET", "mssql://u@h/db?odbc_connect=***"),
    ("host=h user=u password='S3 CRET' dbname=d", "host=h user=u password='***' dbname=d"),
    ("['postgresql://u:S3CRET@h/s', 'x']", "['postgresql://u:***@h/s', 'x']"),
    ("['postgresql://u:S3', 'CRET@h/s']", "['postgresql://u:***@h/s']"),
    ("{'url': 'x', 'password': 'S3 CRET'}", "{'url': 'x', 'password': '***'}"),
    ("--storage=postgresql://u:S3CRET@h/db", "--storage=postgresql://u:***@h/db"),
    ("sqlite:///u:S3CRET@h/x", "sqlite:///u:***@h/x"),
    ("journal://u:S3CRET@h", "journal://u:***@h"),
    ("postgresql://u:***@h/db", "postgresql://u:***@h/db"),
    ("://u:S3CRET@h/db", "://u:***@h/db"),
]


@pytest.mark.parametrize(("value", "shown"), HIDDEN_IN)
def test_every_form_is_hidden(value: str, shown: str):
    assert without_password(value) == shown
    assert without_password(shown) == shown


@pytest.mark.parametrize(
    "value",
    [
        "postgresql://u@h:5432/db",
        "postgresql://u@[::1]:5432/db?connect_timeout=3",
        "postgresql://u@h/db?passfile=/home/u/.pgpass",
        "sqlite:////data/a:b@c.db",
        "sqlite:///:memory:",
        "journal:///data/a:b@c",
        "nonsense://nowhere",
        "://u@h/db",
        "2023-01-05 04:00 UTC",
        "search.n_trials=5",
        "tokens: [BTC, ETH]",
        "100%",
    ],
)
def test_what_holds_no_password_stays(value: str):
    assert without_password(value) == value


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://u:pa%40Wort@h/db", "password 'pa@Wort' refused"),
        ("postgresql://u:pa%40Wort@h/db", "password pa%40Wort refused"),
        ("postgresql://u:Wort@ss@h/db", "failed to resolve host 'ss@h'"),
        ("postgresql://u:Wo/rt@h/db", "no database rt@h, password Wo/rt"),
        ("postgresql://h/db?password=Wort", "(Wort)"),
        ("postgresql://u:Wört@h/db", r"'W\u00f6rt'"),
        ("postgresql://u:Wo'rt@h/db", '"Wo\'rt"'),
        ("postgresql://u:two words@h/db", "is two words right?"),
    ],
)
def test_what_a_driver_quotes_of_it_is_hidden(url: str, said: str):
    remember((url,))
    shown = without_passwords(said)
    for part in ("Wort", "ss@", "Wo/", "rt@", "rt'", "two words", "u00f6"):
        assert part not in shown, shown


def test_a_password_hides_no_part_of_a_word():
    remember(("postgresql://u:test@h/db",))
    assert without_passwords("window.test_end, latest, tests, test") == "window.test_end, latest, tests, ***"


def test_a_short_one_is_hidden_where_it_stands_alone():
    remember(("postgresql:/u:p@h/s",))
    assert without_passwords("storage postgresql:/u:p@h/s: unplaced") == "storage postgresql:/u:***@h/s: unplaced"


def test_errors_hide_it_wherever_they_are_raised():
    error = StorageError("storage postgresql://u:S3CRET@h/db: no")
    assert (str(error), error.problems) == (("storage postgresql://u:***@h/db: no"), (str(error),))


def test_messages_of_others_are_hidden(monkeypatch: pytest.MonkeyPatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with masked_messages():
        sys.stderr.write("connecting to postgresql://u:S3CRET@h/db\n")
        assert not hasattr(sys.stderr, "buffer")
        assert not sys.stderr.isatty()
    assert sys.stderr is stream
    assert stream.getvalue() == "connecting to postgresql://u:***@h/db\n"


def test_a_closed_stderr(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stderr", None)
    with masked_messages():
        assert sys.stderr is None


URL = "postgresql://u:S3CRET@h/db"


@pytest.mark.parametrize(
    "text",
    [
        f"search: {{storage: '{URL}', n_trials: 5}}\n",
        f"search:\n  storage: {URL}  # {URL}\n  n_trials: 5\n# was {URL}\n",
        f'search:\n  storage: "{URL[:20]}\\\n    {URL[20:]}"\n  n_trials: 5\n',
        'search:\n  storage: "postgresql://u:S3\\x43RET@h/db"\n  n_trials: 5\n',
        f"search:\n  storage: >-\n    {URL}\n  n_trials: 5\n",
        f"search:\n  storage: &place !!str {URL}\n  n_trials: 5\nother: *place\n",
        f"search: {{storage: [{URL}, x], n_trials: 5}}\n",
        f"search: {{{URL}: x, n_trials: 5}}\n",
        "search: {storage: 'postgresql://h/db?user=u&password=S3CRET', n_trials: 5}\n",
    ],
)
def test_the_copy_of_a_configuration(text: str):
    copy = recordable_text(text)
    assert "S3" not in copy
    assert "RET@" not in copy
    assert HIDDEN in copy
    before, after = yaml.safe_load(text), yaml.safe_load(copy)
    assert after["search"]["n_trials"] == before["search"]["n_trials"] == 5
    assert recordable_text(copy) == copy


@pytest.mark.parametrize("text", ["", CONFIG, "a: [1, 2\n", "a: &x [*x]\n", "\ufeffa: 1\r\nb: 'x'\r\n"])
def test_other_configurations_are_copied_as_they_are(text: str):
    assert recordable_text(text) == text


def test_an_unreadable_text_is_masked_all_the_same():
    assert recordable_text(f"a: [\nstorage: {URL}") == "a: [\nstorage: postgresql://u:***@h/db"


def test_recorded_values(tmp_path: Any):
    (tmp_path / "prices").mkdir()
    (tmp_path / "c.yaml").write_text(CONFIG)
    fingerprint = load_fingerprint(tmp_path / "c.yaml", [f"search.storage={URL}"])
    assert "S3CRET" not in str(recordable(fingerprint.to_dict()))
    assert fingerprint.search.storage == URL


@pytest.mark.parametrize(
    "setting",
    [
        f"search.storage=[{URL}]",
        "search.storage=[postgresql://u:S3,CRET@h/db]",
        "search.storage={url: x, password: S3CRET}",
        "search.storage=postgresql:/u:S3CRET@h/s",
        f"search.storag={URL}",
        f"search.storage.{URL}=1",
        f"search.n_trials={URL}",
        f"search.storage=[{URL}",
        URL,
        f"search.storage=[postgresql://u:a{'b' * 70}S3CRET@h/db]",
    ],
)
def test_mistakes_show_none(setting: str, tmp_path: Any):
    (tmp_path / "prices").mkdir()
    (tmp_path / "c.yaml").write_text(CONFIG)
    with pytest.raises(ConfigError) as caught:
        load_fingerprint(tmp_path / "c.yaml", [setting])
    for part in ("S3", "CRET", "bbbb"):
        assert part not in str(caught.value)
