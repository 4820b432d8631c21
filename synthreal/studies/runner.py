"""Runs what is missing of a study, several processes at a time."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import connection
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from synthreal.errors import ConfigError
from synthreal.files import replacing
from synthreal.studies.cell import check_variants, prepare_worker, run_cell
from synthreal.studies.spec import Study

Cell = tuple[int, int, str]
"""Step, seed, variant: in this order, so that all runs reach a step before any goes on to the next."""

COLUMNS = ["variant", "seed", "step", "metric", "value", "seconds", "settings"]

_steps_made: Any = None


def _start_worker(counter: Any) -> None:
    global _steps_made
    _steps_made = counter
    threading.Thread(target=_end_with_parent, daemon=True).start()
    prepare_worker()


def _end_with_parent() -> None:
    """Ends this process when its parent is gone, killed perhaps: nobody would take its results."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _count(steps: int) -> None:
    with _steps_made.get_lock():
        _steps_made.value += steps


def _work(study: Study, cell: Cell, runs: Path, wandb: bool) -> dict[str, Any]:
    step, seed, variant = cell
    return run_cell(study, variant, seed, step, runs, _count, wandb)


def columns(study: Study) -> list[str]:
    """Returns the columns of `results.csv`."""
    return [*COLUMNS, *study.scores]


def read_results(study: Study, runs: Path) -> pd.DataFrame:
    """Returns the finished cells, empty if there are none; a score that a run did not keep is NaN.

    Raises:
        ConfigError: If they were made with other settings, or scored by another metric, than the study file now has.
    """
    return _stored(study, runs).reindex(columns=columns(study))


def _stored(study: Study, runs: Path) -> pd.DataFrame:
    """The finished cells with all that the file has of them, scores that the study has dropped too."""
    path = runs / "results.csv"
    if not path.is_file():
        return pd.DataFrame(columns=columns(study))
    # "None" and "null" are names; only an empty field, a score that was not asked for, is missing.
    results = pd.read_csv(path, dtype={"variant": str, "settings": str}, keep_default_na=False, na_values=[""])
    others = set(results.get("metric", pd.Series(dtype=str)).dropna()) - {study.metric}
    if others:
        raise ConfigError(
            f"{path}: the values are {', '.join(sorted(others))}, and {study.path} now has the metric {study.metric}. "
            "Choose another --runs folder, or remove this one."
        )
    results["metric"] = study.metric  # also where a file says nothing
    hashes = study.settings_hashes()
    for variant, made in results.groupby("variant")["settings"]:
        if variant in hashes and set(made) != {hashes[str(variant)]}:
            raise ConfigError(
                f"{path}: the results of {variant!r} were made with other settings than {study.path} and its "
                "configs now have. Choose another --runs folder, or remove this one."
            )
    return results


def missing_cells(study: Study, results: pd.DataFrame) -> list[Cell]:
    """Returns the cells without a result, step by step."""
    done = set(zip(results["step"], results["seed"], results["variant"], strict=True))
    cells = [(step, seed, variant) for step in study.steps for seed in study.seeds for variant in study.variants]
    return [cell for cell in cells if cell not in done]


def run_study(study: Study, runs: Path, jobs: int, wandb: bool = False) -> pd.DataFrame:
    """Runs every cell without a result and returns all results; `results.csv` grows as they come.

    Args:
        study: The study.
        runs: Folder of its runs.
        jobs: Processes at a time, one thread each.
        wandb: Log to W&B too.

    Raises:
        ConfigError: If jobs is less than 1, or results of other settings are in the folder.
    """
    if jobs < 1:
        raise ConfigError(f"jobs is at least 1, not {jobs}.")
    results = read_results(study, runs)
    todo = missing_cells(study, results)
    if not todo:
        return results
    check_variants(study, dict.fromkeys(variant for _, _, variant in todo))
    with _progress() as progress, _pool(jobs) as (pool, counter):
        task = progress.add_task(study.name, total=_total_steps(study, todo))
        finished = _finished(
            study,
            todo,
            lambda cell: pool.submit(_work, study, cell, runs, wandb),
            lambda: progress.update(task, completed=counter.value),
        )
        for row in finished:
            results = merge_result(study, row, runs)
        progress.update(task, completed=_total_steps(study, todo))
    return results


@contextmanager
def _pool(jobs: int) -> Iterator[tuple[ProcessPoolExecutor, "Synchronized[int]"]]:
    """Workers, and the number of steps that they have made; whatever ends the block, what has not begun does not."""
    context = multiprocessing.get_context("spawn")
    counter: Synchronized[int] = context.Value("q", 0)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read by the workers when they start
    pool = ProcessPoolExecutor(jobs, context, initializer=_start_worker, initargs=(counter,))
    try:
        yield pool, counter
    finally:
        pool.shutdown(cancel_futures=True)


def merge_result(study: Study, row: dict[str, Any], runs: Path) -> pd.DataFrame:
    """Adds a finished cell to `results.csv`, read again in case another agent wrote it, and returns all.

    A cell that two agents have run is kept once. What the study has dropped stays in the file.
    """
    runs.mkdir(parents=True, exist_ok=True)
    with FileLock(runs / ".results.lock"):
        results = pd.concat([part for part in (_stored(study, runs), pd.DataFrame([row])) if len(part)])
        results = results.drop_duplicates(["step", "seed", "variant"], keep="last")
        results = results.reindex(columns=list(dict.fromkeys([*columns(study), *results])))
        with replacing(runs / "results.csv") as beside:
            results.sort_values(["step", "variant", "seed"]).to_csv(beside, index=False)
    return results[columns(study)]


def _finished(
    study: Study, todo: list[Cell], submit: Callable[[Cell], Future[dict[str, Any]]], tick: Callable[[], None]
) -> Iterator[dict[str, Any]]:
    for step in study.steps:  # a cell goes on from the one before it
        waiting = {submit(cell) for cell in todo if cell[0] == step}
        while waiting:
            done, waiting = wait(waiting, timeout=0.5, return_when="FIRST_COMPLETED")
            tick()
            for future in done:
                yield future.result()


def _total_steps(study: Study, todo: list[Cell]) -> int:
    before = dict(zip(study.steps, [0, *study.steps], strict=False))
    return sum(step - before[step] for step, _, _ in todo)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("steps"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
