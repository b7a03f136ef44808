"""What each kind of operation does to channels: one table, below.

A rule takes the walker and the operation. It reads the tracks of the inputs, ties, fixes or moves them, and
puts those of the outputs. An operation without a rule protects what it touches, by name.
"""

from __future__ import annotations

from collections.abc import Callable

from paddleprune.errors import GraphError
from paddleprune.graph.rules import contract, cut, follow, move, produce, put, reduce, unify
from paddleprune.graph.rules.common import NotCovered, Rule, unknown
from paddleprune.graph.trace import Op
from paddleprune.graph.walker import Walker


def branches(walker: Walker, op: Op) -> None:
    """`if` and `while` on data: what is inside is listed, and counted once, but what it reads can't be cut."""
    inner = [part for block in op.blocks for part in block]
    where = next((part.where for part in inner if "unknown" not in part.where), op.where)
    before, kept, dearest = dict(walker.uses), list(walker.reads), walker.counted
    uses: list[dict[str, int]] = []
    for block in op.blocks:
        walker.uses, started = dict(before), walker.counted
        for part in block:
            sizes = [n for value in (*part.inputs, *part.outputs) if value is not None for n in value.shape or ()]
            if min(sizes, default=0) < 0:  # only the data know them
                unknown(walker, part)
            else:
                apply(walker, part)
        uses.append(walker.uses)
        dearest, walker.counted = max(dearest, walker.counted), started
    walker.uses = {name: max(each.get(name, 0) for each in uses) for name in dict.fromkeys(n for u in uses for n in u)}
    walker.reads, walker.counted = kept, dearest
    for part in (op, *inner):
        for value in (*part.inputs, *part.outputs):
            if value is not None:
                walker.fix(value, f"{op.name} at {where} runs it or not, as the data say")


EFFECTS: tuple[tuple[Rule, str], ...] = (
    # own and read: parameters that make channels out of channels
    (produce.convolution, "conv2d conv3d depthwise_conv2d"),
    (produce.convolution, "conv2d_transpose conv3d_transpose depthwise_conv2d_transpose"),
    (produce.deformable, "deformable_conv"),
    (produce.embedding, "embedding"),
    (produce.recurrent, "rnn"),
    (contract.matmul, "matmul bmm mv dot"),
    (contract.addmm, "addmm baddbmm"),
    (contract.einsum, "einsum"),
    # follow: one number a channel, or none; zero stays zero
    (follow.same, "relu relu_ relu6 leaky_relu leaky_relu_ elu elu_ selu celu gelu silu swish mish hardswish rrelu"),
    (follow.same, "tanh tanh_ hardtanh softsign softshrink hardshrink tanh_shrink thresholded_relu stanh tril triu"),
    (follow.same, "sqrt sqrt_ square abs sign sin tan sinh asin atan asinh atanh"),
    (follow.same, "erf expm1 log1p floor ceil round trunc"),
    (follow.same, "dropout"),
    (follow.identity, "assign assign_ assign_out_ share_data share_data_ cast cast_ memcpy_h2d memcpy_d2h"),
    (follow.scale, "scale scale_"),
    (follow.clip, "clip clip_"),
    (follow.power, "pow pow_"),
    (follow.prelu, "prelu"),
    # follow: zero doesn't stay zero
    (follow.shifted, "sigmoid sigmoid_ hardsigmoid hardsigmoid_ softplus logsigmoid exp exp_ cos cosh acos acosh"),
    (follow.shifted, "log log2 log10 rsqrt rsqrt_ reciprocal logit lgamma"),
    (follow.shifted, "logical_not bitwise_not isnan isinf isfinite"),
    # follow: height and width change, channels stay
    (follow.spatial, "pool2d pool3d lp_pool2d max_pool2d_with_index max_pool3d_with_index"),
    (follow.spatial, "fractional_max_pool2d fractional_max_pool3d"),
    (follow.spatial, "bilinear_interp nearest_interp bicubic_interp linear_interp trilinear_interp interp_antialias"),
    (follow.unpool, "unpool unpool3d"),
    (follow.pad3d, "pad3d"),
    (follow.pad, "pad"),
    (follow.sample, "grid_sample roi_align roi_pool"),
    (follow.roll, "roll"),
    (follow.flip, "flip"),
    # follow, with statistics
    (follow.batch_norm, "batch_norm batch_norm_ sync_batch_norm_"),
    (follow.instance_norm, "instance_norm"),
    (follow.group_norm, "group_norm"),
    (follow.layer_norm, "layer_norm rms_norm"),
    # unify: what meets stands or falls together
    (unify.added, "add add_ subtract subtract_ maximum minimum fmax fmin"),
    (unify.add_all, "add_n"),
    (unify.multiplied, "multiply multiply_"),
    (unify.divided, "divide divide_ floor_divide remainder elementwise_pow atan2"),
    (unify.compared, "greater_than greater_equal less_than less_equal equal not_equal"),
    (unify.compared, "logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor"),
    (unify.chosen, "where"),
    (unify.filled, "masked_fill masked_fill_"),
    (unify.blended, "lerp lerp_"),
    (unify.expanded_as, "expand_as"),
    # move: the same channels elsewhere
    (move.reshape, "reshape reshape_ flatten flatten_ squeeze squeeze_ unsqueeze unsqueeze_"),
    (move.transpose, "transpose transpose_"),
    (move.concat, "concat"),
    (move.stack, "stack"),
    (move.tile, "tile"),
    (move.expand, "expand"),
    (move.pixel_shuffle, "pixel_shuffle"),
    (move.pixel_unshuffle, "pixel_unshuffle"),
    (move.channel_shuffle, "channel_shuffle shuffle_channel"),
    (move.maxout, "maxout"),
    (move.unfold, "unfold"),
    (move.fold, "fold"),
    (move.repeat, "repeat_interleave"),
    (move.pack, "builtin.combine"),
    (move.unpack, "builtin.split"),
    # cut: parts of an axis
    (cut.split, "split split_with_num"),
    (cut.unbind, "unbind unstack"),
    (cut.cut, "slice strided_slice"),
    # put: parts of a value become something else
    (put.number, "set_value set_value_"),
    (put.tensor, "set_value_with_tensor set_value_with_tensor_"),
    (cut.gather, "gather gather_nd index_select"),
    (cut.taken, "take_along_axis index_sample"),
    # reductions
    (reduce.total, "sum p_norm frobenius_norm squared_l2_norm any"),
    (reduce.average, "mean max min amax amin prod all"),
    (reduce.smooth, "logsumexp"),
    (reduce.softmax, "softmax softmax_ log_softmax gumbel_softmax"),
    (reduce.ordered, "argmax argmin topk argsort kthvalue mode median"),
    (reduce.ordered, "cummax cummin cumsum cumsum_ cumprod logcumsumexp"),
    (reduce.selected, "nms matrix_nms multiclass_nms3 nonzero masked_select unique"),
    # made out of nothing, or of sizes
    (follow.uniform, "full full_ full_int_array"),
    (follow.uniform_like, "full_like"),
    (follow.assigned, "assign_value assign_value_"),
    (branches, "if while"),
    (follow.ignore, "cf.yield cf.tuple_push cf.tuple_pop cf.stack_create cf.has_elements"),
    (follow.ignore, "data fetch builtin.shadow_output shape shape64 numel arange linspace eye meshgrid"),
    (follow.ignore, "gaussian uniform randint randperm tril_indices triu_indices full_batch_size_like"),
)
RULES: dict[str, Rule] = {name: rule for rule, names in EFFECTS for name in names.split()}


def apply(walker: Walker, op: Op) -> None:
    """Apply the rule of an operation, or protect what it touches."""
    for value in op.outputs:
        if value is not None:
            walker.makers[value.id] = op
    try:
        RULES.get(op.name, unknown)(walker, op)
    except NotCovered:
        unknown(walker, op)


def op_rule(name: str, like: str | None = None) -> Callable[[Rule], Rule]:
    """Say what a custom operation does to channels.

    Args:
        name: the operation, as `explain` names it.
        like: an operation that has a rule and the same effect; then nothing needs to be decorated.

    Returns:
        A decorator of a rule `(walker, op) -> None`.

    Raises:
        GraphError: the operation has a rule already, or the other one has none.
    """
    if name in RULES:
        raise GraphError(f"the operation {name!r} has a rule already")
    if like is not None and like not in RULES:
        raise GraphError(f"the operation {like!r} has no rule that {name!r} could share")
    if like is not None:
        RULES[name] = RULES[like]

    def register(rule: Rule) -> Rule:
        RULES[name] = rule
        return rule

    return register
