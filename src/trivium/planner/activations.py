"""Bytes of what a forward pass leaves for the backward pass, counted as PyTorch's autograd keeps them.

The count follows the blocks of Llama, Mistral, Qwen2 and Qwen3 in Transformers: root mean square norms computed in float32,
attention by a fused kernel or step by step, a gated MLP. Other architectures are reckoned by the same sizes, roughly.
"""

from dataclasses import dataclass

from trivium.planner.anatomy import Anatomy, Linear

EXACT = frozenset({"llama", "mistral", "qwen2", "qwen3"})
"""Architectures that the count was held against measurements for."""
_OUT = ("o_proj", "out_proj", "dense")


@dataclass(frozen=True)
class Step:
    """What the memory of one micro-batch depends on: tokens are `sequences` × `length`, `wide` is bytes of a value."""

    model: Anatomy
    sequences: int
    length: int
    wide: int
    targets: tuple[Linear, ...]
    rank: int
    dropout: float
    full: bool
    eager: bool
    padded: bool
    device: str

    @property
    def tokens(self) -> int:
        """Tokens of the micro-batch, padding included."""
        return self.sequences * self.length

    @property
    def blocks(self) -> int:
        """Blocks that gradients pass through: from the first trained one on."""
        if self.full or any(linear.block is None for linear in self.targets):
            return self.model.layers
        return self.model.layers - min((linear.block or 0 for linear in self.targets), default=0)

    @property
    def adapted(self) -> bool:
        """Whether values are cast to the float32 of an adapter and back."""
        return not self.full and self.wide < 4


def block(step: Step) -> float:
    """What one block keeps, bytes."""
    model, wide = step.model, step.wide
    attention = wide * (2 * model.queries + 2 * _keys(step)) + _probabilities(step)
    norms = 2 * (4 * model.hidden_size + 4) + (4 * (model.queries + model.keys) if model.normed_heads else 0)
    return step.tokens * (attention + norms + _mlp(step) + _inputs(step) + wide * _ranks(step))


def _keys(step: Step) -> int:
    """Width of the keys as attention keeps them: repeated for every head where rows are masked or no kernel does it."""
    return step.model.queries if step.padded or step.eager else step.model.keys


def _probabilities(step: Step) -> float:
    """Attention's weights for a token: their normaliser and the mask, or all of them, in float32 and in the values' type."""
    if not step.eager:
        return 4.0 * step.model.heads + (step.length * step.wide if step.padded else 0)
    return step.model.heads * step.length * (4.0 + (step.wide if step.wide < 4 else 0))


def _mlp(step: Step) -> float:
    return step.wide * step.model.intermediate_size * (3 if step.model.gated else 1)


def _inputs(step: Step) -> float:
    """What the linear layers keep to train: their inputs, and what norms keep to train their own weights."""
    hidden, inner = step.model.hidden_size, step.model.intermediate_size
    if step.full:
        heads = step.model.queries + step.model.keys if step.model.normed_heads else 0
        return step.wide * (4 * hidden + inner + heads)
    if step.dropout:
        return _per_block(step, sum(linear.inputs for linear in step.targets)) * (step.wide + _mask(step))
    if step.adapted:
        return step.wide * _per_block(step, sum(linear.inputs for linear in step.targets))
    return step.wide * sum({_shared(linear): linear.inputs for linear in step.targets if not _kept_anyway(linear)}.values())


def _mask(step: Step) -> int:
    """Bytes of what dropout threw away, a value."""
    return 1 if step.device == "cuda" else 4


def _shared(linear: Linear) -> tuple[bool, int]:
    """Layers that read one and the same tensor: by their place in the block and their width."""
    return "att" in linear.name, linear.inputs


def _kept_anyway(linear: Linear) -> bool:
    """Whether a layer reads what attention keeps already."""
    return linear.name.rsplit(".", 1)[-1] in _OUT and "att" in linear.name


def _per_block(step: Step, count: float) -> float:
    return count / max(1, step.blocks)


def _ranks(step: Step) -> float:
    return _per_block(step, step.rank * len(step.targets))


def boundaries(step: Step) -> float:
    """What gradient checkpointing keeps of the blocks: the input of each."""
    return float(step.tokens * step.model.hidden_size * step.wide * step.model.layers)


def around(step: Step, trained: int) -> float:
    """What is kept once for all blocks: positions, masks, and an adapter's weights in the type that is computed with."""
    positions = 2 * step.length * step.model.head_dim * step.wide
    mask = step.sequences * step.length**2 * (step.wide if step.eager else 1) if step.padded or step.eager else 0
    return float(positions + mask + (trained * step.wide if step.adapted else 0))


def last(step: Step, scored: int) -> float:
    """What is kept after the blocks: of the last norm, and the positions that are scored."""
    kept = 4 + (step.wide if step.full else 0)
    return float(step.model.hidden_size * (step.tokens * kept + scored * step.wide))


def passing(step: Step) -> float:
    """What the backward pass of a block takes at most beyond what the block keeps: in its MLP, or in attention step by step."""
    model, wide = step.model, step.wide
    mlp = model.intermediate_size * (wide + 4 if step.adapted else 2 * wide) + model.hidden_size * wide
    if step.adapted:
        mlp += 4 * (model.hidden_size + (model.intermediate_size if step.dropout else 0))
    if not step.eager:
        return float(step.tokens * mlp)
    weights = 8 * model.heads * step.length - 4 * wide * model.intermediate_size
    return float(step.tokens * max(mlp, weights))


def forward_only(step: Step) -> float:
    """What a pass without gradients takes at most: in the MLP, or in attention step by step."""
    model, wide = step.model, step.wide
    mlp = 4 * wide * model.intermediate_size
    weights = model.heads * step.length * (12 + (wide if wide < 4 else 0)) if step.eager else 0
    return float(step.tokens * (max(mlp, weights) + model.hidden_size * (5 * wide + (4 if step.adapted else 0))))
