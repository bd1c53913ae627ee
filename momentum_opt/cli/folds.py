"""Show a walk-forward as tables in a terminal."""

from momentum_opt.cli.render import Document, left_out_notes, metric_cell, number, verdict_lines
from momentum_opt.cli.text_table import TextTable, filled
from momentum_opt.results.report.wording import CURVE_LABELS, NOT_ASSESSED, efficiency_words, random_spread
from momentum_opt.units import counted
from momentum_opt.vocabulary.rules import FORM_LABELS, leading_forms


def fold_table(summary: Document) -> str:
    """One row per fold: its days, in-sample and out-of-sample metric, efficiency, returns, k and memory by token."""
    metric = summary["metric"]
    titles = ("fold", "tuned from", "out of sample from", "until", "in", "out", "efficiency", "return", "const.")
    table = TextTable(titles)
    for fold in summary["folds"]:
        table.add_row(
            str(fold["fold"]),
            fold["train_start"],
            fold["test_start"],
            fold["test_end"],
            metric_cell(metric, fold["in_sample"][metric]),
            metric_cell(metric, fold["out_of_sample"][metric]),
            number(fold["efficiency"]),
            number(fold["out_of_sample"]["returns"]),
            number(fold["baselines"]["constant_weight"]["returns"]),
        )
    note = "return and that of the constant-weight pool (const.) are out of sample as well"
    caption = filled(f"{metric} in and out of sample; {note}")
    return f"{caption}\n{table.text()}"


def curve_table(summary: Document) -> str:
    """The joined out-of-sample days of the tuned pools and the baselines."""
    table = TextTable(("joined out of sample", "return", "annual Sharpe", "95 % interval", "worst drawdown", "PSR"))
    for name, curve in summary["out_of_sample"].items():
        interval = curve["interval"]
        ends = "–" if interval is None else " to ".join(f"{interval[end] * 365**0.5:.2f}" for end in ("low", "high"))
        table.add_row(
            CURVE_LABELS[name],
            number(curve["total_return"]),
            number(curve["annual_sharpe"]),
            ends,
            number(curve["max_drawdown"]),
            number(curve["probabilistic_sharpe"]),
        )
    return table.text()


def stability_table(summary: Document) -> str:
    """k per day and memory (or what the rule has) of every token, fold by fold, and how far searched numbers spread."""
    folds = summary["folds"]
    table = TextTable(("parameter", *(f"fold {fold['fold']}" for fold in folds)))
    for name in leading_forms(folds[0]["readable"]):
        for token in folds[0]["readable"][name]:
            table.add_row(
                f"{FORM_LABELS.get(name, name)} {token}", *(f"{fold['readable'][name][token]:.4g}" for fold in folds)
            )
    table.add_section()
    spreads = [f"{name} {one['spread']:.2f}" for name, one in summary["stability"].items()]
    note = f"spread over the folds as a share of the search range (uniform random: {random_spread(summary):.2f}): "
    return f"{table.text()}\n{filled(note + ', '.join(spreads))}"


def summary_lines(summary: Document) -> list[str]:
    """The verdict with its rules, the efficiency, and what is missing."""
    done = len(summary["folds"])
    verdict = summary.get("verdict")
    lines = [f"verdict: {NOT_ASSESSED}"] if verdict is None else verdict_lines(verdict, summary.get("detectable"))
    lines.append(efficiency_words(summary))
    for fold in summary["folds"]:
        empty = [file for file in fold["data"].get("costs", ()) if not file["rows"]]
        lines += [f"{note} (fold {fold['fold']})" for note in left_out_notes(empty)]
    if done < summary["n_folds"]:
        lines.append(f"{done} of {counted(summary['n_folds'], 'fold')} are done; the same command goes on")
    return lines
