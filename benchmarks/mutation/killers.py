"""A module of the package in, the tests that are to notice a change of it out, nearest first."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

PACKAGES = ("pool", "metrics", "onchain", "evidence", "simulation")
"""Those first whose tests take least."""

CLOSED_FORM = "simulation/test_engine::test_closed_form_is_the_minute_loop_up_to_the_stated_bound"
SUMS = "simulation/test_engine::test_sums_inside_chunks_are_the_minute_loop"
IN_CHUNK = f"{SUMS}[hourly_bars_large_steps]"
BESIDE_DAYS = f"{SUMS}[q_divides_neither_chunk_nor_day]"
ZERO_COST = (f"{CLOSED_FORM}[five_minute_bars]", f"{CLOSED_FORM}[hourly_bars_arb_every_2]", IN_CHUNK)
ALL_COSTS = "simulation/test_costs::test_against_the_minute_loop[all costs]"
WITH_COSTS = "simulation/test_costs::test_against_the_minute_loop[bars of 5, approx_optimal]"
EXTERNAL = "study/test_external::test_values_and_reserves_are_the_oracles"
OUTSIDE = f"{EXTERNAL}[all of it, fees sometimes zero]"
KERNEL = "simulation/test_minute_kernel"
FREE_SERVES = f"{KERNEL}::test_what_the_kernel_without_costs_serves"
PALLAS = "simulation/test_minute_pallas"
METRICS = (
    "metrics/test_registry::test_equals_the_reference[60-2]",
    "metrics/test_summary::test_every_slice_equals_the_oracle",
)
SCORES = "study/test_evaluation::test_train_and_validation_metrics_are_the_oracles"
TURNOVER = "study/test_evaluation::test_the_turnover_of_the_daily_path_is_that_of_the_reserves"
"""Single tests that compile few programs and run them on few bars, each against plain loops of numbers."""

NEAREST: Mapping[str, tuple[str, ...]] = {
    "evidence/range_ends": ("evidence/test_convergence",),
    "pool/anti_momentum": ("simulation/test_rules",),
    "pool/arbitrage": ("simulation/test_closed_form", *ZERO_COST),
    "pool/constant_weight": ("pool/test_registry", "simulation/test_rules"),
    "pool/costs": (OUTSIDE,),
    "pool/guard_rails": ("pool/test_rule", "pool/test_momentum"),
    "pool/interpolation": ("pool/test_rule", "pool/test_momentum"),
    "pool/outside": ("pool/test_reserves", OUTSIDE),
    "pool/pool": (
        "pool/test_momentum",
        "pool/test_parameters",
        "pool/test_registry::test_a_rule_without_one_of_its_functions_is_refused_when_it_is_made",
    ),
    "pool/series": ("pool/test_costs",),
    "pool/swap": ("pool/test_costs",),
    "metrics/flows": METRICS,
    "simulation/block_bars": ("study/test_flows",),
    "simulation/boundary_weights": (*ZERO_COST, TURNOVER),
    "simulation/cost_inputs": (WITH_COSTS, f"{KERNEL}::test_against_the_minute_loop", OUTSIDE),
    "simulation/cost_minutes": (WITH_COSTS, ALL_COSTS, OUTSIDE),
    "simulation/costs": (WITH_COSTS, "study/test_external::test_minute_metrics_and_turnover_of_a_batch"),
    "simulation/engine": ZERO_COST,
    "simulation/external_bars": (f"{EXTERNAL}[supply alone]", OUTSIDE),
    "simulation/free_kernel": ("study/test_flows::test_without_costs_in_the_kernel",),
    "simulation/free_walk": ("study/test_flows::test_without_costs_in_the_kernel", FREE_SERVES),
    "simulation/in_chunk": (IN_CHUNK, WITH_COSTS),
    "simulation/inputs": (*ZERO_COST, WITH_COSTS),
    "simulation/minute_gpu": (
        f"{PALLAS}::test_the_fastest_of_equal_walkers_is_taken",
        f"{PALLAS}::test_the_cores_are_taken_for_few_candidates",
        f"{PALLAS}::test_another_result_is_not_taken",
        f"{PALLAS}::test_candidates_that_break_in_both_are_equal",
    ),
    "simulation/minute_kernel": (f"{KERNEL}::test_against_the_minute_loop",),
    "simulation/minute_pallas": (
        f"{PALLAS}::test_against_the_minute_loop[a jump, all costs]",
        f"{PALLAS}::test_neighbours_change_nothing",
    ),
    "simulation/minute_walk": (
        f"{KERNEL}::test_a_piece_is_a_share_in_whole_vectors_that_fits",
        f"{KERNEL}::test_against_the_minute_loop",
        f"{KERNEL}::test_neighbours_and_threads_change_nothing",
    ),
    "simulation/minutes": (*ZERO_COST, WITH_COSTS),
    "simulation/numba_source": (f"{KERNEL}::test_a_kernel_is_compiled_once",),
    "simulation/sensitivities": ("study/test_gradients",),
    "simulation/spec": (
        *ZERO_COST,
        BESIDE_DAYS,
        "study/test_external::test_files_that_were_not_read_are_refused",
        f"{EXTERNAL}[supply alone]",
    ),
    "simulation/watch": ("study/test_flows::test_without_costs_in_the_kernel", "study/test_flows::test_in_the_kernel"),
    "simulation/worst_fall": ("study/test_minute_figures",),
    "simulation/straight_line": (
        f"{KERNEL}::test_lines_say_what_the_formula_says",
        f"{KERNEL}::test_against_the_minute_loop",
    ),
    "simulation/trajectory": (*ZERO_COST, "simulation/test_rules::test_anti_momentum_is_momentum_with_k_negated"),
    "simulation/values": (*ZERO_COST, BESIDE_DAYS, WITH_COSTS, TURNOVER, SCORES, f"{EXTERNAL}[supply alone]"),
    "metrics/drawdown": (*METRICS, "metrics/test_blocks"),
    "metrics/growth": METRICS,
    "metrics/path": METRICS,
    "metrics/ratios": METRICS,
    "metrics/risk": (*METRICS, "metrics/test_registry::test_a_batch_equals_its_singles[batch0]"),
    "metrics/tails": ("metrics/test_summary",),
    "onchain/defaults": ("onchain/test_rules",),
    "onchain/deploying": ("onchain/test_deployment",),
    "onchain/guard": ("onchain/test_contract",),
    "onchain/history": ("onchain/test_live", "onchain/test_rehearsal"),
    "onchain/keeper": ("onchain/test_rehearsal",),
    "onchain/motion": ("onchain/test_contract",),
    "onchain/path": ("onchain/test_rehearsal",),
    "onchain/resolution": ("onchain/test_rehearsal",),
    "onchain/rule": ("onchain/test_contract",),
    "onchain/simulated": ("onchain/test_rehearsal::test_the_simulation_against_the_minute_loop",),
    "evidence/assess": ("cli/test_evidence",),
    "evidence/findings": ("evidence/test_verdict", "results/test_evidence"),
    "evidence/neighbourhood": ("evidence/test_plateau",),
    "evidence/scoring": ("evidence/test_block_sums",),
    "evidence/walk_forward": ("evidence/test_folds",),
}
"""What to begin with besides the test file of the module's own name; single tests of that file stand for it."""

BESIDES: Mapping[str, tuple[str, ...]] = {
    "pool": (*ZERO_COST, WITH_COSTS, OUTSIDE, "results/test_parameters"),
    "simulation": ("study/test_evaluation",),
    "metrics": ("study/test_evaluation",),
    **dict.fromkeys(("onchain/deploying", "onchain/live", "onchain/rehearsal"), ("cli/test_onchain",)),
    **dict.fromkeys(("evidence/findings", "evidence/neighbourhood", "evidence/plateau"), ("cli/test_evidence",)),
}
"""Tests of other folders, for a package or for one module, that run after those of the package's own folder."""


def killers_of(path: str, root: Path, seconds: Mapping[str, float]) -> tuple[list[str], list[str]]:
    """Tests for a module: the nearest; the rest of its folder and those of other folders. The quick come first."""
    package, module = PurePosixPath(path).with_suffix("").parts[-2:]
    own = f"tests/{package}/test_{module}.py"
    nearest = {in_pytest(name) for name in NEAREST.get(f"{package}/{module}", ())}
    if (root / own).exists() and not any(test.startswith(f"{own}::") for test in nearest):
        nearest.add(own)
    folder = {file.relative_to(root).as_posix() for file in (root / "tests" / package).glob("test_*.py")}
    besides = {in_pytest(name) for key in (package, f"{package}/{module}") for name in BESIDES.get(key, ())}

    def quick_first(tests: set[str]) -> list[str]:
        return sorted(tests, key=lambda test: (seconds.get(test, 0.0), test))

    return quick_first(nearest), quick_first(folder - nearest) + quick_first(besides - folder - nearest)


def in_pytest(name: str) -> str:
    """What pytest calls a test or a file of tests."""
    file, colons, test = name.partition("::")
    return f"tests/{file}.py{colons}{test}"
