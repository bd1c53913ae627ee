"""The run-time checker behind the annotations of the numeric packages; named by its path in `tests/conftest.py`."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
"""beartype, with an int where a float is expected (PEP 484's numeric tower)."""
