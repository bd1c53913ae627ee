"""YAML → validated sections → frozen run fingerprint and its digest (SPEC §3). No JAX, no Optuna, no pandas."""

from momentum_opt.fingerprint.defaults import DEFAULT_SAMPLER
from momentum_opt.fingerprint.engine import EngineChoice, EngineName, check_bar, choose_engine
from momentum_opt.fingerprint.explain import explain
from momentum_opt.fingerprint.incumbent import import_fingerprint
from momentum_opt.fingerprint.load import (
    load_fingerprint,
    override_fingerprint,
    read_configuration,
    replace_values,
)
from momentum_opt.fingerprint.mistakes import OptionSetting, choose_among, first_of, listed, shortened, show
from momentum_opt.fingerprint.periods import Days, Periods
from momentum_opt.fingerprint.ranges import clipped, effective_ranges, range_lines, search_ranges
from momentum_opt.fingerprint.run_fingerprint import SCHEMA_VERSION, Fingerprint, fingerprint_differences
from momentum_opt.fingerprint.secrets import recordable, recordable_text
from momentum_opt.fingerprint.sections import PerToken, RangeOverride
from momentum_opt.fingerprint.yaml_text import to_yaml_text

__all__ = [
    "DEFAULT_SAMPLER",
    "SCHEMA_VERSION",
    "Days",
    "EngineChoice",
    "EngineName",
    "Fingerprint",
    "OptionSetting",
    "PerToken",
    "Periods",
    "RangeOverride",
    "check_bar",
    "choose_among",
    "choose_engine",
    "clipped",
    "effective_ranges",
    "explain",
    "fingerprint_differences",
    "first_of",
    "import_fingerprint",
    "listed",
    "load_fingerprint",
    "override_fingerprint",
    "range_lines",
    "read_configuration",
    "recordable",
    "recordable_text",
    "replace_values",
    "search_ranges",
    "shortened",
    "show",
    "to_yaml_text",
]
