"""A module of the package in, the test files that are to notice a change of it out, nearest first."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

PACKAGES = ("pool", "simulation", "metrics", "onchain", "evidence")

NEAREST: Mapping[str, tuple[str, ...]] = {
    "pool/anti_momentum": ("simulation/test_rules",),
    "pool/arbitrage": ("simulation/test_closed_form", "simulation/test_engine"),
    "pool/constant_weight": ("pool/test_registry", "simulation/test_rules"),
    "pool/guard_rails": ("pool/test_rule", "pool/test_momentum"),
    "pool/interpolation": ("pool/test_rule", "pool/test_momentum"),
    "pool/outside": ("pool/test_reserves", "simulation/test_costs"),
    "pool/pool": ("pool/test_momentum", "pool/test_parameters"),
    "pool/series": ("pool/test_costs",),
    "pool/swap": ("pool/test_costs",),
    "simulation/boundary_weights": ("simulation/test_engine",),
    "simulation/cost_inputs": ("simulation/test_costs", "simulation/test_minute_kernel"),
    "simulation/cost_minutes": ("simulation/test_costs",),
    "simulation/external_bars": ("simulation/test_costs",),
    "simulation/in_chunk": ("simulation/test_engine", "simulation/test_costs"),
    "simulation/inputs": ("simulation/test_engine",),
    "simulation/minute_gpu": ("simulation/test_minute_pallas",),
    "simulation/minute_walk": ("simulation/test_minute_kernel",),
    "simulation/minutes": ("simulation/test_engine",),
    "simulation/spec": ("simulation/test_engine",),
    "simulation/straight_line": ("simulation/test_minute_kernel",),
    "simulation/trajectory": ("simulation/test_engine", "simulation/test_rules"),
    "simulation/values": ("simulation/test_engine",),
    "metrics/drawdown": ("metrics/test_blocks", "metrics/test_registry", "metrics/test_summary"),
    "metrics/growth": ("metrics/test_registry",),
    "metrics/path": ("metrics/test_registry",),
    "metrics/ratios": ("metrics/test_registry", "metrics/test_summary"),
    "metrics/risk": ("metrics/test_registry", "metrics/test_summary"),
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
    "onchain/simulated": ("onchain/test_rehearsal",),
    "evidence/assess": ("cli/test_evidence",),
    "evidence/findings": ("evidence/test_verdict", "results/test_evidence"),
    "evidence/neighbourhood": ("evidence/test_plateau",),
    "evidence/scoring": ("evidence/test_block_sums",),
    "evidence/walk_forward": ("evidence/test_folds",),
}
"""Test files to begin with where there is none of the module's own name."""

BESIDES: Mapping[str, tuple[str, ...]] = {
    "pool": ("simulation/test_engine", "simulation/test_laws", "results/test_parameters"),
    "simulation": ("study/test_evaluation",),
    "metrics": ("study/test_evaluation",),
    **dict.fromkeys(("onchain/deploying", "onchain/live", "onchain/rehearsal"), ("cli/test_onchain",)),
    **dict.fromkeys(("evidence/findings", "evidence/neighbourhood", "evidence/plateau"), ("cli/test_evidence",)),
}
"""Test files of other folders, for a package or for one module, that run after those of the package's own folder."""


def killers_of(path: str, root: Path, seconds: Mapping[str, float]) -> tuple[list[str], list[str]]:
    """Test files for a module: its nearest; the rest of its folder and those of other folders. The quick come first."""
    package, module = PurePosixPath(path).with_suffix("").parts[-2:]
    own = [f"{package}/test_{module}", *NEAREST.get(f"{package}/{module}", ())]
    nearest = {file for name in own if (root / (file := f"tests/{name}.py")).exists()}
    folder = {file.relative_to(root).as_posix() for file in (root / "tests" / package).glob("test_*.py")}
    others = (*BESIDES.get(package, ()), *BESIDES.get(f"{package}/{module}", ()))
    besides = {f"tests/{name}.py" for name in others}

    def quick_first(files: set[str]) -> list[str]:
        return sorted(files, key=lambda file: (seconds.get(file, 0.0), file))

    return quick_first(nearest), quick_first(folder - nearest) + quick_first(besides - folder - nearest)
