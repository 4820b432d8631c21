"""The report of a study: CSV, Markdown table, figures, and one HTML page that holds them all."""

import base64
import io
from pathlib import Path

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader
from matplotlib.figure import Figure

from synthreal.errors import ConfigError
from synthreal.files import replacing
from synthreal.plots import metric_curves
from synthreal.studies.gallery import run_figures
from synthreal.studies.runner import COLUMNS, read_results
from synthreal.studies.spec import Study
from synthreal.studies.statistics import compare


def summarise(study: Study, results: pd.DataFrame) -> pd.DataFrame:
    """Returns a row for each step and variant: runs, mean, deviation, and the comparison with the baseline."""
    rows = []
    for step in study.steps:
        values = {
            name: dict(zip(part["seed"], part["value"], strict=True))
            for name, part in results[results["step"] == step].groupby("variant")
        }
        for variant in (name for name in study.variants if name in values):
            column = pd.Series(values[variant])
            row = {
                "step": step,
                "variant": variant,
                "runs": len(column),
                "mean": column.mean(),
                "std": column.std(),
                "paper": study.paper.get(variant, [None] * len(study.steps))[study.steps.index(step)],
            }
            if variant != study.baseline and study.baseline in values:
                c = compare(values[variant], values[study.baseline])
                row |= {"difference": c.difference, "low": c.low, "high": c.high}
                row |= {"p_paired": c.p_paired, "p_welch": c.p_welch, "pairs": c.pairs}
                row["verdict"] = c.verdict(variant, study.baseline)
            rows.append(row)
    return pd.DataFrame(rows)


def markdown_table(study: Study, summary: pd.DataFrame) -> str:
    """Returns the summary as a Markdown table, with the paper's figures if the study has them, and the verdicts."""
    paper = bool(study.paper)
    unit = f" ({study.unit})" if study.unit else ""
    head = ["steps", "variant", "runs", f"{study.metric}{unit}, mean ± sd", *(["paper"] if paper else [])]
    head += [f"difference from {study.baseline}", "95 % interval", "p paired", "p Welch"]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for row in summary.to_dict("records"):
        cells = [f"{row['step']:,}", row["variant"], row["runs"], f"{row['mean']:.3f} ± {row['std']:.3f}"]
        cells += ["" if pd.isna(row["paper"]) else f"{row['paper']:.3f}"] if paper else []
        if pd.notna(row.get("difference")):
            cells += [f"{row['difference']:+.3f}", f"{row['low']:+.3f} to {row['high']:+.3f}"]
            cells += [f"{row['p_paired']:.2g}", f"{row['p_welch']:.2g}"]
        else:
            cells += [""] * 4
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    verdicts = [f"- {row['step']:,} steps: {row['verdict']}" for row in _compared(summary)]
    return "\n".join([*lines, "", *verdicts, ""])


def _compared(summary: pd.DataFrame) -> list[dict[str, object]]:
    records: list[dict[str, object]] = summary.to_dict("records")  # type: ignore[assignment]
    return [row for row in records if isinstance(row.get("verdict"), str)]


def write_report(study: Study, runs: Path, output: Path) -> tuple[str, Path]:
    """Writes `results.csv`, `summary.csv`, `table.md`, every figure and `report.html` into a folder.

    Args:
        study: The study.
        runs: Folder of its runs.
        output: Folder of the report.

    Returns:
        The table, and the path of the page.

    Raises:
        ConfigError: If no run has finished.
    """
    results = read_results(study, runs)
    results = results[results["variant"].isin(study.variants)]
    if results.empty:
        raise ConfigError(f"No finished run in {runs}. Start them with: synthreal study run {study.path}")
    summary = summarise(study, results)
    table = markdown_table(study, summary)
    curves = metric_curves(_curves(study, results), "training steps", f"{study.metric} ({study.unit})")
    figures = {"curves": ("Curves", curves), **run_figures(study, runs, results)}
    images = {name: (title, _png(figure)) for name, (title, figure) in figures.items()}
    page = _page(study, summary, results, dict(images.values()))
    for name, content in {
        "results.csv": results.to_csv(index=False, columns=COLUMNS).encode(),
        "summary.csv": summary.to_csv(index=False).encode(),
        "table.md": f"{study.title}\n\n{table}".encode(),
        "report.html": page.encode(),
        **{f"{name}.png": png for name, (_, png) in images.items()},
    }.items():
        with replacing(output / name) as beside:
            beside.write_bytes(content)
    return table, output / "report.html"


def _curves(study: Study, results: pd.DataFrame) -> dict[str, tuple[list[int], np.ndarray]]:
    curves = {}
    for variant in study.variants:
        grid = results[results["variant"] == variant].pivot(index="step", columns="seed", values="value").dropna(axis=1)
        if grid.size:
            curves[variant] = (list(grid.index), grid.to_numpy())
    return curves


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _page(study: Study, summary: pd.DataFrame, results: pd.DataFrame, images: dict[str, bytes]) -> str:
    environment = Environment(loader=PackageLoader("synthreal", "studies"), autoescape=True)
    return environment.get_template("report.html").render(
        study=study,
        rows=summary.to_dict("records"),
        verdicts=_compared(summary),
        missing=len(study.steps) * len(study.seeds) * len(study.variants) - len(results),
        hours=results["seconds"].sum() / 3600,
        images={title: base64.b64encode(data).decode() for title, data in images.items()},
    )
