"""The report of a study: CSV, Markdown tables, figures, and one HTML page that holds them all."""

import base64
import io
from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader
from matplotlib.figure import Figure
from PIL import Image

from synthreal.errors import ConfigError
from synthreal.files import replacing
from synthreal.plots import learning_curves, metric_curves
from synthreal.studies import curves
from synthreal.studies.effects import main_effects
from synthreal.studies.exchange import Exchange
from synthreal.studies.gallery import run_figures
from synthreal.studies.logged import logged_curves
from synthreal.studies.outcomes import outcome_report
from synthreal.studies.runner import read_results
from synthreal.studies.spec import Study, file_name
from synthreal.studies.summary import summarise
from synthreal.studies.tables import (
    Table,
    effects_table,
    exchange_table,
    frame_table,
    main_table,
    score_table,
    verdicts,
)

Figures = dict[str, tuple[str, Figure]]
"""Name → title and figure."""

_LARGE = 500_000  # bytes


def write_report(study: Study, runs: Path, output: Path) -> tuple[str, Path]:
    """Writes `results.csv`, `summary.csv`, `table.md`, every figure and further table, and `report.html` into a folder.

    Results of variants, seeds and steps that the study no longer has do not count. The `results.csv` of the runs is
    left alone, for it has them, and may grow meanwhile.

    Args:
        study: The study.
        runs: Folder of its runs.
        output: Folder of the report.

    Returns:
        The tables in Markdown, and the path of the page.

    Raises:
        ConfigError: If no run has finished.
    """
    results = _asked_for(study, read_results(study, runs))
    if results.empty:
        raise ConfigError(f"No finished run in {runs}. Start them with: synthreal study run {study.path}")
    summary = summarise(study, results)
    rates = curves.exchanges(study, results)
    frames, outcome_figures = outcome_report(study, runs, results)
    figures = {**_figures(study, runs, results, rates), **outcome_figures}
    images = {name: (title, png(figure)) for name, (title, figure) in figures.items()}
    effects = main_effects(study, results)
    tables = _tables(study, summary, effects, rates)
    said = [*_said(rates), *verdicts(summary)]
    text = _markdown(tables, said)
    page = _page(study, results, [*tables, *(frame_table(*titled) for titled in frames.values())], said, images)
    copy = {} if output.resolve() == runs.resolve() else {"results.csv": results.to_csv(index=False).encode()}
    for name, content in {
        **copy,
        "summary.csv": summary.to_csv(index=False).encode(),
        **({"effects.csv": effects.to_csv(index=False).encode()} if len(effects) else {}),
        "table.md": f"{study.title}\n\n{text}".encode(),
        "report.html": page.encode(),
        **{f"{name}.csv": frame.to_csv(index=False).encode() for name, (_, frame) in frames.items()},
        **{f"{name}.png": picture for name, (_, picture) in images.items()},
    }.items():
        with replacing(output / file_name(name)) as beside:
            beside.write_bytes(content)
    return text, output / "report.html"


def _asked_for(study: Study, results: pd.DataFrame) -> pd.DataFrame:
    asked = {"variant": study.variants, "seed": study.seeds, "step": study.steps}
    return results[results[list(asked)].isin({name: list(values) for name, values in asked.items()}).all(axis=1)]


def _tables(study: Study, summary: pd.DataFrame, effects: pd.DataFrame, rates: dict[str, Exchange]) -> list[Table]:
    return [
        main_table(study, summary),
        *([effects_table(study, effects)] if len(effects) else []),
        *([score_table(study, summary)] if study.scores else []),
        *([exchange_table(study, rates)] if rates else []),
    ]


def _said(rates: dict[str, Exchange]) -> list[str]:
    return [f"{panel}: {found.sentence()}" if panel else found.sentence() for panel, found in rates.items()]


def _markdown(tables: list[Table], said: list[str]) -> str:
    """The tables, the first one without a heading and followed by what can be said."""
    first, *others = tables
    parts = [first.markdown(), "\n".join(f"- {sentence}" for sentence in said)]
    parts += [f"{table.title}\n\n{table.markdown()}" for table in others]
    return "\n\n".join(part for part in parts if part) + "\n"


def _figures(study: Study, runs: Path, results: pd.DataFrame, rates: dict[str, Exchange]) -> Figures:
    logged = _logged_figures(logged_curves(study, runs, results))
    return {**_curve_figures(study, results, rates), **logged, **run_figures(study, runs, results)}


def _curve_figures(study: Study, results: pd.DataFrame, rates: dict[str, Exchange]) -> Figures:
    metric = f"{study.metric} ({study.unit})" if study.unit else study.metric
    figures: Figures = {}
    if len(study.steps) > 1 and (panels := curves.step_curves(study, results)):
        figures["curves"] = "Curves", metric_curves(panels, "training steps", metric)
    if panels := curves.learning_curves(study, results):
        unit = study.exchange.real_per_unit if study.exchange else 1
        marks = {panel: (found.equal / unit, found.target) for panel, found in rates.items()}
        title = f"Learning curve, {study.steps[-1]:,} steps"
        if marks:
            title += ": dotted, the score of all real images alone and where real and synthetic ones first reach it"
        figures["learning_curve"] = title, learning_curves(panels, str(study.curve), metric, marks)
    return figures


def _logged_figures(logged: dict[str, curves.Curves]) -> Figures:
    return {
        f"logged_{name.replace('/', '_')}": (f"{name} over training", metric_curves(panels, "training steps", name))
        for name, panels in logged.items()
    }


def png(figure: Figure) -> bytes:
    """Returns a figure as a PNG file; one of half a megabyte or more (photos) gets 256 colours."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    if buffer.tell() < _LARGE:
        return buffer.getvalue()
    small = io.BytesIO()
    Image.open(buffer).convert("RGB").quantize(256).save(small, "png", optimize=True)
    return small.getvalue()


def _page(
    study: Study, results: pd.DataFrame, tables: list[Table], said: list[str], images: dict[str, tuple[str, bytes]]
) -> str:
    environment = Environment(loader=PackageLoader("synthreal", "studies"), autoescape=True)
    return environment.get_template("report.html").render(
        study=study,
        tables=tables,
        said=said,
        missing=len(study.steps) * len(study.seeds) * len(study.variants) - len(results),
        hours=results["seconds"].sum() / 3600,
        images=[(title, base64.b64encode(data).decode()) for title, data in images.values()],
    )
