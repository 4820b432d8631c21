"""One run of a study: where it ends, with which settings, and where it logs."""

import pytest
import yaml

from synthreal.errors import ConfigError
from synthreal.experiment import ExperimentCLI
from synthreal.studies import cell
from synthreal.studies.cell import cell_folder, run_cell
from synthreal.studies.spec import load_study
from tests.studies.study_parts import EXPERIMENTS, SMALL, write_study


def silent(steps):
    """Reports nothing."""


def test_training_that_ends_before_its_step_is_no_result(tmp_path):
    short = {**SMALL, "trainer.max_epochs": 1}  # three batches
    study = load_study(write_study(tmp_path, variants={"uniform": short}, paper={}))
    assert run_cell(study, "uniform", 0, 2, tmp_path / "runs", silent)["step"] == 2
    with pytest.raises(ConfigError, match=r"'uniform' ended after 3 steps, .*asks for 5.*max_epochs"):
        run_cell(study, "uniform", 0, 5, tmp_path / "runs", silent)


@pytest.mark.filterwarnings("ignore:The trainer stops before the last")
def test_a_batch_of_two_steps_may_pass_the_step_that_a_run_goes_on_from(tmp_path):
    numbers = {"iterations": 2, "decay_from": 1, "generator_updates": 1}
    numbers |= {"pretrain_generators": 1, "pretrain_discriminators": 0}  # one step, then twice two
    tiny = {"generator": "c7s1-2,d4,R4,u2,c7s1-1", "discriminator": "C4", "stages": "[r-s]", **numbers}
    settings = {f"model.init_args.{key}": value for key, value in tiny.items()}
    settings |= {"data.batch_size": 4, "data.test_size": 20, "data.eval_batch_size": 20, "trainer.accelerator": "cpu"}
    config, scores = EXPERIMENTS / "mrgan" / "digits.yaml", {"metric": "test/real/change", "steps": [2, 5, 6]}
    changes = {"configs": [str(config)], "variants": {"uniform": settings}, "paper": {}, **scores}
    study = load_study(write_study(tmp_path, **changes))
    assert run_cell(study, "uniform", 0, 2, tmp_path / "runs", silent)["step"] == 2
    assert (cell_folder(tmp_path / "runs", "uniform", 0, 2) / "last.ckpt").is_file()
    assert run_cell(study, "uniform", 0, 5, tmp_path / "runs", silent)["step"] == 5
    with pytest.raises(ConfigError, match="ended after 5 steps"):  # by itself
        run_cell(study, "uniform", 0, 6, tmp_path / "runs", silent)


def test_configs_edited_while_a_run_trains_are_not_taken_for_its_own(tmp_path, monkeypatch):
    config = yaml.safe_load((EXPERIMENTS / "sampleahead" / "digits.yaml").read_text())
    base = tmp_path / "base.yaml"
    base.write_text(yaml.safe_dump(config))
    study = load_study(write_study(tmp_path, configs=["base.yaml"], steps=[2], paper={}))
    before = study.settings_hash("uniform")
    assert run_cell(study, "uniform", 0, 2, tmp_path / "runs", silent)["settings"] == before

    class Edited(ExperimentCLI):
        """The config changes once it is read."""

        def __init__(self, args, run):
            super().__init__(args, run=run)
            base.write_text(yaml.safe_dump({**config, "seed_everything": 5}))

    monkeypatch.setattr(cell, "ExperimentCLI", Edited)
    with pytest.raises(ConfigError, match=r"edited while 'uniform' trained.*run it again"):
        run_cell(study, "uniform", 0, 2, tmp_path / "runs", silent)


def test_each_run_has_its_own_wandb_run(tmp_path, monkeypatch):
    import wandb

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    begun = []
    scores = cell._scores

    def seen(*args):
        begun.append((wandb.run.id, wandb.run.name))
        return scores(*args)

    monkeypatch.setattr(cell, "_scores", seen)
    study = load_study(write_study(tmp_path, steps=[1], paper={}))
    for seed in study.seeds:
        run_cell(study, "uniform", seed, 1, tmp_path / "runs", silent, wandb=True)
    with pytest.raises(ConfigError, match="test/nothing"):  # a run that fails ends too
        unknown = load_study(write_study(tmp_path, steps=[1], paper={}, metric="test/nothing"))
        run_cell(unknown, "uniform", 2, 1, tmp_path / "runs", silent, wandb=True)
    assert wandb.run is None
    assert len({run for run, _ in begun}) == 3
    assert [name for _, name in begun] == ["uniform/seed_0", "uniform/seed_1", "uniform/seed_2"]
    for seed in study.seeds:
        assert len(list((tmp_path / "runs" / "uniform" / f"seed_{seed}").rglob("offline-run-*"))) == 1
