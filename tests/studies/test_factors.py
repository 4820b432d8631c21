"""Levels of factors, and the variants that they make."""

import hashlib
import json
from pathlib import Path

import pytest
import yaml

from synthreal.errors import ConfigError
from synthreal.studies.factors import variants_of
from synthreal.studies.spec import file_name, load_study
from synthreal.studies.sweep import sweep_yaml
from synthreal.studies.yaml_file import read_yaml

STUDY = """
title: mixing
configs: [base.yaml]
factors:
  ratio:
    1:0: {data.ratio: [1, 0]}
    1:15: {data.ratio: [1, 15], data.batch: 1:30}
    0:1: {data.ratio: [0, 1]}
  augmented: {no: {}, yes: {data.ratio: null}}
  real: {5: {data.real: 5}, 20: {data.real: 20}}
skip:
  - {ratio: 0:1, real: 20}
seeds: [0, 1]
metric: test/real/error
steps: [100]
baseline: 1:0
"""


def load(folder, text=STUDY, **changes):
    (folder / "base.yaml").write_text("seed_everything: 0\n")
    path = folder / "study.yaml"
    path.write_text(text)
    if changes:
        path.write_text(yaml.safe_dump({**read_yaml(path), **changes}, sort_keys=False))
    return load_study(path)


def test_names_are_text_as_it_is_written(tmp_path):
    # YAML 1.1 makes 75 of 1:15, 60 of 1:0 and False of no.
    study = load(tmp_path)
    assert list(study.factors["ratio"]) == ["1:0", "1:15", "0:1"]
    assert list(study.factors["augmented"]) == ["no", "yes"]
    assert study.baseline == "1:0"
    assert study.variants["1:15, no, 5"]["data.batch"] == "1:30"


def test_merge_keys_of_yaml_go_on_working(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("base: &base {1:5: {}}\nmore: {<<: *base, 7: 20}\n")
    assert read_yaml(path)["more"] == {"1:5": {}, "7": 20}
    for broken in (b"a: [", "title: Käfer".encode("latin-1")):
        path.write_bytes(broken)
        with pytest.raises(ConfigError, match=r"a\.yaml is no YAML"):
            read_yaml(path)


def test_variants_are_the_product_without_what_is_skipped(tmp_path):
    study = load(tmp_path)
    assert list(study.variants) == [
        *("1:0, no, 5", "1:0, no, 20", "1:0, yes, 5", "1:0, yes, 20"),
        *("1:15, no, 5", "1:15, no, 20", "1:15, yes, 5", "1:15, yes, 20"),
        *("0:1, no, 5", "0:1, yes, 5"),
    ]
    assert study.variants["1:15, no, 20"] == {"data.ratio": [1, 15], "data.batch": "1:30", "data.real": 20}
    # the later factor wins
    assert study.variants["1:15, yes, 5"] == {"data.ratio": None, "data.batch": "1:30", "data.real": 5}
    assert "--data.ratio=[1, 15]" in study.arguments("1:15, no, 5", 0)


def test_each_variant_has_the_baseline_of_its_group(tmp_path):
    study = load(tmp_path)
    assert study.baseline_of("1:15, yes, 20") == "1:0, yes, 20"
    assert study.baseline_of("1:0, no, 5") == "1:0, no, 5"
    assert study.levels("0:1, yes, 5") == {"ratio": "0:1", "augmented": "yes", "real": "5"}
    assert study.groups("ratio") == {
        "no, real 5": ["1:0, no, 5", "1:15, no, 5", "0:1, no, 5"],
        "no, real 20": ["1:0, no, 20", "1:15, no, 20"],
        "yes, real 5": ["1:0, yes, 5", "1:15, yes, 5", "0:1, yes, 5"],
        "yes, real 20": ["1:0, yes, 20", "1:15, yes, 20"],
    }
    part = study.only("1:15, no, 5", 1)
    assert (list(part.variants), part.seeds, part.baseline) == (["1:15, no, 5"], [1], "1:0")


def test_a_study_without_factors_has_one(tmp_path):
    path = tmp_path / "plain.yaml"
    (tmp_path / "base.yaml").write_text("{}")
    path.write_text(
        "{title: t, configs: [base.yaml], variants: {'a, b': {x: 1}, 5: {}}, seeds: [0], metric: test/error, "
        "steps: [1], baseline: 5}"
    )
    study = load_study(path)
    assert study.compared == "variant"
    assert study.levels("a, b") == {"variant": "a, b"}
    assert study.baseline_of("a, b") == "5"
    assert study.groups("variant") == {"": ["a, b", "5"]}


def test_the_hash_is_of_the_configs_and_the_overrides(tmp_path):
    study = load(tmp_path)
    content = [[{"seed_everything": 0}], {"data.ratio": [1, 0], "data.real": 5}]
    expected = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]
    assert study.settings_hash("1:0, no, 5") == study.settings_hashes()["1:0, no, 5"] == expected
    (tmp_path / "base.yaml").write_text("# a comment\nseed_everything: 0\n")
    assert study.settings_hash("1:0, no, 5") == expected
    (tmp_path / "base.yaml").write_text("seed_everything: 1\n")
    assert study.settings_hash("1:0, no, 5") != expected


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"variants": {"a": {}}}, "not both"),
        ({"factors": {}}, "maps each factor"),
        ({"factors": {"ratio": {"1:0": {}, "a, b": {}}}, "skip": []}, "'a, b' is no name"),
        ({"factors": {"ratio": {"1:0": None}}, "skip": []}, "factors/ratio/1:0 maps settings"),
        ({"factors": {"ratio": ["1:0"]}, "skip": []}, "factors/ratio maps levels"),
        ({"factors": {"ratio": {"1:0": {}, "1/0": {}}}, "skip": []}, "one folder"),
        ({"factors": {"mean": {"1:0": {}}}, "skip": []}, "'mean'"),
        ({"skip": [{"ratio": "2:1"}]}, "no '2:1' of 'ratio'; factors are ratio: 1:0, 1:15, 0:1; augmented"),
        ({"skip": [{"rati": "1:0"}]}, "'rati'"),
        ({"skip": {"ratio": "1:0"}}, "skip lists combinations"),
        ({"skip": [{}]}, "must not be empty"),
        ({"baseline": "1:0, no, 5"}, "baseline"),
        ({"curve": "reel"}, "curve 'reel'"),
        ({"curve": "augmented"}, "'no' of 'augmented' is none"),
        ({"scores": ["top1"]}, "'top1'"),
        ({"scores": ["test/real/error"]}, "named twice"),
        ({"exchange": {"alone": "1:0", "mixed": "1:15", "synthetic": 9, "real_per_unit": 1}}, "exchange needs curve"),
        (
            {"curve": "real", "exchange": {"alone": "1:0", "mixed": "1:7", "synthetic": 9, "real_per_unit": 1}},
            "no '1:7' of 'ratio'",
        ),
    ],
)
def test_a_mistake_is_named(tmp_path, changes, words):
    with pytest.raises(ConfigError, match=words):
        load(tmp_path, **changes)


def test_skip_and_curve_need_factors(tmp_path):
    plain = STUDY[: STUDY.index("factors")] + "variants: {a: {}}\n" + STUDY[STUDY.index("skip") :]
    with pytest.raises(ConfigError, match="there are no factors"):
        load(tmp_path, plain)


def test_a_later_factor_wins_and_levels_that_are_left_out_are_counted():
    factors = {"a": {"x": {"k": 1}, "y": {"k": 2}}, "b": {"1": {"k": 3}, "2": {}}}
    assert variants_of(factors, []) == {"x, 1": {"k": 3}, "x, 2": {"k": 1}, "y, 1": {"k": 3}, "y, 2": {"k": 2}}
    assert list(variants_of(factors, [{"a": "x"}, {"b": "2", "a": "y"}])) == ["y, 1"]


def test_file_names():
    assert file_name("1:15, augmented, 5") == "1-15, augmented, 5"
    assert file_name("beta 10") == "beta 10"
    assert Path("runs", file_name("a/b\\c?")) == Path("runs/a-b-c-")


def test_a_sweep_quotes_names_that_yaml_would_read_otherwise(tmp_path):
    study = load(tmp_path, larger_is_better=True, factors={"ratio": {"1:0": {}, "1:15": {}, "5": {}}}, skip=[])
    sweep = yaml.safe_load(sweep_yaml(study))
    assert sweep["parameters"]["variant"]["values"] == ["1:0", "1:15", "5"]
    assert sweep["metric"] == {"name": "test/real/error", "goal": "maximize"}
