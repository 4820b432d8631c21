"""Which image goes into which generator, by generators that sign what they make; and trained stages in new hands."""

import pytest
import torch
from torch import nn

from synthreal.errors import ConfigError
from synthreal.networks.refiner import Refiner, load_refiner, take_over

LAYERS = "c7s1-4,d8,R8,u4,c7s1-1"


class Sign(nn.Module):
    """Writes its digit behind the number that an image consists of."""

    def __init__(self, digit):
        super().__init__()
        self.digit = digit

    def forward(self, image):
        return 10 * image + self.digit


def signing(stages):
    """Stage 1 signs 1 towards real and 2 towards synthetic, stage 2 signs 3 and 4, stage 3 signs 5 and 6."""
    refiner = Refiner(stages, LAYERS, 1)
    for i in range(len(stages)):
        refiner.stage(i).to_real = Sign(2 * i + 1)
        refiner.stage(i).to_synthetic = Sign(2 * i + 2)
    return refiner


def number(image):
    assert image.min() == image.max()
    return int(image[0, 0, 0, 0])


BLANK = torch.zeros(2, 1, 4, 4)
# stages after the first → what signs a synthetic, and a real image
SIGNATURES = {
    (): (1, 2),
    ("rr-rs",): (13, 24),
    ("r-rs",): (13, 4),
    ("rr-s",): (3, 24),
    ("rr-rs", "rr-rs"): (135, 246),
    ("rr-rs", "r-rs"): (135, 6),
    ("rr-rs", "rr-s"): (5, 246),
    ("r-rs", "rr-rs"): (135, 46),
    ("r-rs", "r-rs"): (135, 6),
    ("r-rs", "rr-s"): (5, 46),
    ("rr-s", "rr-rs"): (35, 246),
    ("rr-s", "r-rs"): (35, 6),
    ("rr-s", "rr-s"): (5, 246),
}


@pytest.mark.parametrize("later", SIGNATURES)
def test_an_image_goes_through_the_stages_before_or_past_them(later):
    refiner = signing(["r-s", *later])
    assert (number(refiner.refine_synthetic(BLANK)), number(refiner.refine_real(BLANK))) == SIGNATURES[later]
    for count in range(1, len(later) + 2):
        expected = SIGNATURES[later[: count - 1]]
        assert number(refiner.refine_synthetic(BLANK, count)) == expected[0]
        assert number(refiner.refine_real(BLANK, count)) == expected[1]


@pytest.mark.parametrize("later", SIGNATURES)
def test_no_stage_leaves_an_image_as_it_is(later):
    refiner = signing(["r-s", *later])
    assert refiner.refine_synthetic(BLANK, 0) is BLANK
    assert refiner.refine_real(BLANK, 0) is BLANK


@pytest.mark.parametrize(
    ("mapping", "synthetic", "real"), [("rr-rs", 1, 2), ("r-rs", 1, 0), ("rr-s", 0, 2)], ids=lambda value: str(value)
)
def test_what_the_second_stage_maps_from(mapping, synthetic, real):
    refiner = signing(["r-s", mapping])
    assert number(refiner.synthetic_side(BLANK, 1)) == synthetic
    assert number(refiner.real_side(BLANK, 1)) == real
    assert number(refiner.synthetic_side(BLANK, 0)) == number(refiner.real_side(BLANK, 0)) == 0


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([], "begin with 'r-s'"),
        (["rr-rs"], r"stages is \['rr-rs'\], but only a first stage 'r-s'"),
        (["rr-s", "r-s"], "begin with 'r-s'"),
        (["r-s", "r-s"], r"After its first, a stage is .* not \['r-s'\]"),
        (["r-s", "rr-rs", "r-s"], r"After its first, a stage is .* not \['r-s'\]"),
    ],
)
def test_stages_that_do_not_follow_each_other_are_refused(stages, message):
    with pytest.raises(ConfigError, match=message):
        Refiner(stages, LAYERS, 1)


@pytest.mark.parametrize("count", [-1, 3])
def test_there_are_no_more_stages_than_there_are(count):
    refiner = signing(["r-s", "rr-s"])
    for refine in (refiner.refine_synthetic, refiner.refine_real):
        with pytest.raises(ConfigError, match=f"There are 2 stages; {count} of them cannot be applied"):
            refine(BLANK, count)


def test_images_of_other_channels_are_refused():
    refiner = Refiner(["r-s", "rr-rs"], LAYERS, 1)
    image = torch.rand(2, 3, 8, 8)
    for function in (refiner.refine_synthetic, refiner.refine_real):
        with pytest.raises(ConfigError, match="The images have 3 channels, and the MrGAN's in_channels is 1"):
            function(image)
    for function in (refiner.synthetic_side, refiner.real_side):
        with pytest.raises(ConfigError, match="The images have 3 channels"):
            function(image, 0)


# What a training leaves behind


def trained(stages=("r-s",), seed=0, **settings):
    """A refiner with weights, and statistics of batch norm, that no other one has."""
    torch.manual_seed(seed)
    refiner = Refiner(list(stages), **{"generator": LAYERS, "in_channels": 1, **settings})
    for value in refiner.state_dict().values():
        if value.is_floating_point():
            value.copy_(0.1 + torch.rand_like(value))
    return refiner


def saved(refiner, path="mrgan.ckpt", finished=None, **settings):
    """A checkpoint as MrGAN has it: more settings than these, and other weights beside them; None finishes all."""
    settings = {
        "stages": refiner.mappings,
        "generator": LAYERS,
        "in_channels": 1,
        "norm": "batch",
        "iterations": 5,
        **settings,
    }
    weights = {f"refiner.{name}": value for name, value in refiner.state_dict().items()}
    content = {"state_dict": {**weights, "judges.0.a": torch.ones(1)}, "hyper_parameters": settings}
    finished = len(refiner.mappings) if finished is None else finished
    torch.save({**content, "finished_stages": finished}, path)
    return path


def same(one, other):
    mine, theirs = one.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_a_trained_refiner_is_loaded_bit_for_bit_and_fixed(norm):
    refiner = trained(["r-s", "r-rs"], norm=norm)
    loaded, finished = load_refiner(saved(refiner, norm=norm))
    assert finished == 2
    assert loaded.mappings == ["r-s", "r-rs"]
    assert same(loaded, refiner)
    assert not any(part.training for part in loaded.modules())
    assert not any(weight.requires_grad for weight in loaded.parameters())
    image = torch.rand(2, 1, 8, 8)
    assert torch.equal(loaded.refine_synthetic(image), refiner.eval().refine_synthetic(image))


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"state_dict": {"network.0.weight": torch.ones(1)}, "hyper_parameters": {"network": "resnet18"}},
        {"state_dict": {"refiner.a": torch.ones(1)}, "hyper_parameters": {"stages": ["r-s"]}},
    ],
)
def test_another_module_s_checkpoint_is_refused(content):
    torch.save(content, "other.ckpt")
    with pytest.raises(ConfigError, match=r"other\.ckpt is no checkpoint of an MrGAN"):
        load_refiner("other.ckpt")
    with pytest.raises(ConfigError, match=r"other\.ckpt is no checkpoint of an MrGAN"):
        take_over(trained(["r-s", "r-rs"]), "other.ckpt")


def test_a_missing_checkpoint_is_named():
    with pytest.raises(ConfigError, match=r"No checkpoint at none\.ckpt: mine names"):
        load_refiner("none.ckpt", "mine")
    with pytest.raises(ConfigError, match=r"No checkpoint at none\.ckpt: pretrained names"):
        take_over(trained(["r-s", "r-rs"]), "none.ckpt")


@pytest.mark.parametrize(
    ("earlier", "later"), [(["r-s"], ["r-s", "r-rs"]), (["r-s", "rr-s"], ["r-s", "rr-s", "rr-rs"])]
)
def test_the_first_stages_are_taken_over_and_the_others_left_alone(earlier, later):
    before, after, untouched = trained(earlier), trained(later, 1), trained(later, 1)
    assert take_over(after, saved(before)) == len(earlier)
    for i in range(len(earlier)):
        assert same(after.stage(i), before.stage(i))
    for i in range(len(earlier), len(later)):
        assert same(after.stage(i), untouched.stage(i))
    assert all(weight.requires_grad for weight in after.parameters())


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (["r-s"], ["r-s"]),
        (["r-s", "rr-rs"], ["r-s"]),
        (["r-s", "rr-rs"], ["r-s", "rr-s", "rr-rs"]),
        (["r-s", "rr-rs"], ["r-s", "rr-rs"]),
    ],
)
def test_stages_that_do_not_come_first_are_refused(earlier, later):
    after = trained(later, 1)
    with pytest.raises(ConfigError, match=r"mrgan\.ckpt has the stages .* does not go on from there"):
        take_over(after, saved(trained(earlier)))
    assert same(after, trained(later, 1))


@pytest.mark.parametrize("finished", [0, 1])
def test_stages_that_are_not_trained_are_not_taken_over(finished):
    later = ["r-s", "r-rs", "rr-s"]
    after, path = trained(later, 1), saved(trained(["r-s", "r-rs"]), finished=finished)
    with pytest.raises(ConfigError, match=rf"mrgan\.ckpt: {finished} of 2 stages are trained.*train on"):
        take_over(after, path)
    assert same(after, trained(later, 1))


def test_a_checkpoint_that_does_not_say_how_many_stages_are_trained_is_refused():
    content = torch.load(saved(trained(["r-s", "r-rs"])))
    del content["finished_stages"]
    torch.save(content, "old.ckpt")
    with pytest.raises(
        ConfigError, match=r"old\.ckpt does not say how many of its stages are trained.*earlier version"
    ):
        load_refiner("old.ckpt")


@pytest.mark.parametrize(
    "other", [{"generator": "c7s1-4,d4,R4,u4,c7s1-1"}, {"generator": "c7s1-4,R4,c7s1-1"}, {"norm": "instance"}]
)
def test_generators_of_other_layers_are_refused(other):
    path = saved(trained(**other), **other)
    with pytest.raises(ConfigError, match=r"mrgan\.ckpt has generators of other layers"):
        take_over(trained(["r-s", "r-rs"]), path)
