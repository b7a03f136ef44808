"""Networks that once broke the contract, as the fuzzer left them: masked must equal shrunk."""

from __future__ import annotations

from paddleprune.graph import Input
from paddleprune.testing.fuzz import Program, Step, check

CONV = {"groups": 1, "kernel": 1, "stride": 1, "dilation": 1, "bias": True}
IMAGE = Input((1, 3, 8, 8))


def test_a_product_sums_over_channels_that_a_sigmoid_keeps_from_silence() -> None:
    program = Program(
        (Input((1, 5, 6)),),
        (
            Step("conv", 0, per_group=4, **CONV),
            Step("conv", 1, per_group=4, **CONV),
            Step("activation", 2, name="sigmoid"),
            Step("product", 3, 3, how="x' y"),
        ),
        4,
    )
    check(program)


def test_attention_with_a_single_head_is_cut_along_its_width() -> None:
    program = Program(
        (Input((1, 5), "int64"),),
        (
            Step("embedding", 0, rows=5, features=4),
            Step("multi_head", 1, heads=1),
            Step("linear", 2, features=4, bias=True),
        ),
        3,
    )
    assert check(program).groups > 1


def test_a_layer_norm_that_also_normalizes_an_input_stays() -> None:
    program = Program(
        (Input((1, 5, 6)), Input((1, 5), "int64")),
        (Step("embedding", 1, rows=5, features=6), Step("layer_norm", 2), Step("again", 0, step=1)),
        4,
    )
    check(program)


def test_a_part_of_one_channel_stays() -> None:
    program = Program(
        (IMAGE,),
        (
            Step("conv", 0, per_group=3, **CONV),
            Step("split_sizes", 1, axis=1),
            Step("linear", 2, features=4, bias=True),
        ),
        [3, 4],
    )
    check(program)


def test_a_grouped_convolution_left_with_a_channel_in_each_group_stays_grouped() -> None:
    program = Program(
        (IMAGE,),
        (
            Step("conv", 0, per_group=4, **CONV),
            Step("softmax", 1, axis=1, log=False),
            Step("conv", 2, per_group=4, **{**CONV, "groups": 2}),
            Step("conv", 3, per_group=4, **CONV),
            Step("linear", 4, features=4, bias=True),
        ),
        5,
    )
    assert check(program).inexact


def test_what_was_flattened_is_concatenated() -> None:
    program = Program(
        (Input((1, 4, 6)),),
        (
            Step("conv", 0, per_group=4, **CONV),
            Step("linear", 1, features=4, bias=True),
            Step("conv", 2, per_group=4, **CONV),
            Step("flatten", 3, start=1),
            Step("concat", 4, 4, axis=1, negative=False),
            Step("linear", 5, features=4, bias=True),
        ),
        6,
    )
    check(program)


def test_picked_channels_do_not_all_go() -> None:
    program = Program(
        (IMAGE,),
        (
            Step("conv_transpose", 0, per_group=4, groups=1, stride=1, bias=True),
            Step("pick", 1, axis=1, order="half", how="index_select"),
            Step("activation", 2, name="relu"),
            Step("split_channels", 1, parts=2),
            Step("to_tokens", 5),
            Step("conv", 3, per_group=4, **CONV),
            Step("linear", 4, features=4, bias=True),
            Step("linear", 6, features=4, bias=True),
        ),
        9,
    )
    check(program, seed=2)


def test_what_is_expanded_to_another_value_is_as_wide_as_that() -> None:
    program = Program(
        (IMAGE,),
        (
            Step("conv", 0, per_group=4, **CONV),
            Step("conv", 1, per_group=4, **CONV),
            Step("expand_as", 2, 1),
            Step("conv", 3, per_group=4, **CONV),
        ),
        4,
    )
    check(program)


def test_a_learned_scale_that_also_meets_an_input_stays() -> None:
    program = Program(
        (Input((1, 6)),),
        (
            Step("learned", 0, along="channels", operation="multiply"),
            Step("linear", 1, features=6, bias=True),
            Step("again", 2, step=0),
            Step("linear", 3, features=4, bias=True),
        ),
        4,
    )
    check(program)


def test_a_slice_at_a_fixed_place_is_told_though_it_comes_out_right_by_accident() -> None:
    program = Program(
        (Input((1, 4, 8)),),
        (
            Step("conv", 0, per_group=5, **CONV),
            Step("sliced", 1, first=2, how="cut"),
            Step("join", 2, 2, how="subtract"),
            Step("conv", 2, per_group=4, **CONV),
            Step("conv", 3, per_group=4, **CONV),
        ),
        [4, 5],
    )
    for seed in (1, 2, 3):
        check(program, seed=seed)


def test_a_slice_that_nobody_heard_isn_t_told_since_another_one_is() -> None:
    program = Program(
        (IMAGE,),
        (
            Step("conv", 0, per_group=4, **CONV),
            Step("sliced", 1, first=2, how="in place"),
            Step("cut", 2, axis=1, which="all but the first"),
            Step("conv", 3, per_group=4, **CONV),
            Step("conv", 4, per_group=4, **CONV),
        ),
        5,
    )
    for seed in (1, 2, 3):
        check(program, seed=seed)


def test_a_wrong_width_that_changes_little_is_told_from_rounding() -> None:
    """A slope of 0.0003 hides that the second part keeps its width: the outputs change by a ten-thousandth."""
    program = Program(
        (IMAGE,),
        (
            Step("conv", 0, per_group=4, **CONV),
            Step("activation", 1, name="relu"),
            Step("activation", 2, name="relu"),
            Step("prelu", 1, slopes="each"),
            Step("sliced", 4, first=2, how="cut"),
            Step("linear", 3, features=4, bias=True),
            Step("conv", 5, per_group=4, **CONV),
        ),
        7,
    )
    check(program, seed=2)
