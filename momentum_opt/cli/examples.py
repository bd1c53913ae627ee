"""Show examples below the help of each command."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

EXAMPLES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "": (
            "momentum-opt tune configs/quickstart.yaml",
            "momentum-opt backtest --params runs/quickstart-02e10653/best.json",
            "momentum-opt COMMAND --help",
        ),
        "tune": (
            "momentum-opt tune configs/quickstart.yaml --trials 1000",
            "momentum-opt tune configs/quickstart.yaml --set objective.metric=returns --set costs.fees=0.003",
            "momentum-opt tune runs/quickstart-02e10653 --resume",
        ),
        "backtest": (
            "momentum-opt backtest --params runs/quickstart-02e10653/best.json --out replay --minute",
            "momentum-opt backtest --params params.json --config configs/quickstart.yaml",
        ),
        "runs": ("momentum-opt runs", "momentum-opt runs elsewhere --sort validation"),
        "compare": (
            "momentum-opt compare runs/quickstart-02e10653 runs/quickstart-4a2886e2 --out compare.html",
            "momentum-opt compare runs/quickstart-02e10653 trial17.json --test",
        ),
        "report": (
            "momentum-opt report runs/quickstart-02e10653",
            "momentum-opt report runs/quickstart-02e10653 --pair k_SYNA memory_SYNB",
        ),
        "sweep": (
            "momentum-opt sweep configs/quickstart.yaml --over pool.chunk_period=60,360,1440",
            "momentum-opt sweep configs/quickstart.yaml --over pool.chunk_period=360,1440 "
            "--over pool.maximum_change=0.0001,0.0003 --trials 500 --workers 2",
        ),
        "walk-forward": (
            "momentum-opt walk-forward configs/quickstart.yaml --set walk_forward.train_days=120 "
            "--set walk_forward.test_days=40",
        ),
        "export": ("momentum-opt export --params best.json --addresses tokens.yaml --out deployment.json",),
        "rehearse": (
            "momentum-opt rehearse --params best.json --out rehearsal",
            "momentum-opt rehearse --deployment deployment.json --start 2023-06-01 --delay 300s --miss 0.05",
        ),
        "weights": (
            "momentum-opt weights --params best.json --state state.json",
            "momentum-opt weights --params best.json --at 2024-01-20 --json",
        ),
        "config": (
            "momentum-opt config new --data data/sample --out mine.yaml",
            "momentum-opt config show configs/quickstart.yaml",
        ),
        "config new": (
            "momentum-opt config new --data data/sample",
            "momentum-opt config new --data prices --tokens BTC,ETH,USDC --out mine.yaml",
            "momentum-opt config new --data prices --window 2022-06-01:2023-06-01:2023-09-01 --out mine.yaml",
        ),
        "config show": (
            "momentum-opt config show configs/quickstart.yaml",
            "momentum-opt config show configs/quickstart.yaml --set costs.fees=0.003 --json",
        ),
        "config check": ("momentum-opt config check configs/quickstart.yaml",),
        "config import": ("momentum-opt config import incumbent.json --out imported.yaml",),
        "data": ("momentum-opt data check data/sample",),
        "data check": (
            "momentum-opt data check data/sample",
            "momentum-opt data check --config configs/quickstart.yaml",
        ),
        "data import": (
            "momentum-opt data import downloads/BTCUSDT --token BTC --out prices",
            "momentum-opt data import AVAX_USDT-1h.json --out prices",
            "momentum-opt data import table.csv --where symbol=BTCUSDT --token BTC --out prices",
            "momentum-opt data import --token USDC --constant 1.0 --start 2022-01-01 --end 2025-01-01 --out prices",
        ),
        "data sample": ("momentum-opt data sample --out somewhere --seed 7 --tokens 5 --bar 15",),
        "trials": (
            "momentum-opt trials runs/quickstart-02e10653",
            "momentum-opt trials runs/quickstart-02e10653 show 17",
            "momentum-opt trials runs/quickstart-02e10653 export 17 --out trial17.json",
        ),
        "trials list": (
            'momentum-opt trials runs/quickstart-02e10653 --where "validation_returns > 0" --sort train_returns',
            "momentum-opt trials runs/quickstart-02e10653 --columns number,objective,memory_days_SYNA --csv",
        ),
        "trials show": ("momentum-opt trials runs/quickstart-02e10653 show 17",),
        "trials export": ("momentum-opt trials runs/quickstart-02e10653 export 17 --out trial17.json",),
    }
)


def examples(command: str, note: str = "") -> str:
    """The end of a help text: an optional note, then the examples of `command`, unwrapped."""
    lines = EXAMPLES[command]
    listed = "\n".join(["\b", "Examples:" if len(lines) > 1 else "Example:", *(f"  {line}" for line in lines)])
    return f"{note}\n\n{listed}" if note else listed
