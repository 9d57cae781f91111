"""Schemas of the group `method`."""

from dataclasses import dataclass

from trivium.schema.fields import opt


@dataclass
class SftMethod:
    """Supervised fine-tuning (TRL's SFTTrainer)."""

    name: str = opt("sft", "Method.", choices=("sft",))
    learning_rate: float = opt(2e-4, "Peak learning rate.", gt=0, le=1)
    lr_scheduler_type: str = opt(
        "cosine", "Schedule after warm-up.", choices=("cosine", "linear", "constant", "constant_with_warmup")
    )
    warmup_ratio: float = opt(0.1, "Share of the steps spent warming up.", ge=0, lt=1)
    optim: str = opt("adamw_torch", "Optimiser, by its Transformers name.")
    weight_decay: float = opt(0.0, "AdamW weight decay.", ge=0)
    max_grad_norm: float = opt(1.0, "Gradient clipping norm; 0 switches it off.", ge=0)
    num_train_epochs: float = opt(3.0, "Passes over the data; unused when max_steps is set.", gt=0)
    max_steps: int | None = opt(None, "Optimiser steps; null takes num_train_epochs.", ge=1)
    total_batch_size: int = opt(64, "Sequences an optimiser step, micro-batches and accumulation together.", ge=1)
    packing: bool = opt(False, "Pack several samples into one sequence of max_length (best-fit).")
    assistant_only_loss: bool = opt(True, "Only the assistant's tokens carry loss.")
    completion_only_loss: bool = opt(False, "Only the assistant's last turn carries loss, whatever assistant_only_loss is.")
    logging_steps: int = opt(10, "Steps between metric lines.", ge=1)
    eval_steps: int | None = opt(None, "Steps between held-out evaluations; null evaluates at the end only.", ge=1)
    save_steps: int | None = opt(None, "Steps between checkpoints; null saves on interruption only.", ge=1)
    save_total_limit: int = opt(2, "Checkpoints kept.", ge=1)
    metric_for_best_model: str | None = opt(
        None,
        "Held-out metric that picks the weights kept, for example eval_nll; null keeps the last.",
        choices=("eval_nll", "eval_loss"),
    )


@dataclass
class WarmStart:
    """Short supervised fine-tuning on the reference answers, before the rewards take over."""

    max_steps: int = opt(0, "Optimiser steps; 0 leaves it out.", ge=0)
    learning_rate: float = opt(2e-4, "Peak learning rate.", gt=0, le=1)
    total_batch_size: int = opt(32, "Sequences an optimiser step.", ge=1)


LOSS_TYPES = ("grpo", "dr_grpo", "dapo", "bnpo", "cispo", "sapo", "luspo", "vespo")


@dataclass
class GrpoMethod:
    """Group relative policy optimisation on composed rewards (TRL's GRPOTrainer)."""

    name: str = opt("grpo", "Method.", choices=("grpo",))
    learning_rate: float = opt(5e-6, "Peak learning rate.", gt=0, le=1)
    lr_scheduler_type: str = opt(
        "linear", "Schedule after warm-up.", choices=("cosine", "linear", "constant", "constant_with_warmup")
    )
    warmup_ratio: float = opt(0.1, "Share of the steps spent warming up.", ge=0, lt=1)
    optim: str = opt("adamw_torch", "Optimiser, by its Transformers name.")
    weight_decay: float = opt(0.0, "AdamW weight decay.", ge=0)
    max_grad_norm: float = opt(1.0, "Gradient clipping norm; 0 switches it off.", ge=0)
    max_steps: int = opt(250, "Optimiser steps; 0 trains the warm start only.", ge=0)
    total_batch_size: int = opt(64, "Completions an optimiser step: prompts times num_generations.", ge=2)
    num_generations: int = opt(8, "Completions of one prompt, a group; must divide total_batch_size.", ge=2)
    max_completion_length: int = opt(1024, "Longest completion in tokens, thinking included.", ge=1)
    temperature: float = opt(1.0, "Sampling temperature.", gt=0)
    top_p: float = opt(1.0, "Nucleus sampling.", gt=0, le=1)
    top_k: int = opt(0, "Sample among so many tokens; 0 for all.", ge=0)
    min_p: float | None = opt(None, "Least probability of a token, as a share of the likeliest one's.", ge=0, le=1)
    repetition_penalty: float = opt(1.0, "Penalty of tokens said before while sampling; 1 is none.", gt=0)
    beta: float = opt(0.0, "Weight of the KL anchor to the model as it was before (after the warm start); 0 is none.", ge=0)
    loss_type: str = opt("dapo", "How token losses are put together; TRL's names.", choices=LOSS_TYPES)
    epsilon: float = opt(0.2, "Clipping of the probability ratio, below.", gt=0)
    epsilon_high: float | None = opt(None, "Clipping above; null takes epsilon.", gt=0)
    delta: float | None = opt(None, "Upper bound of the two-sided clipping; null is none.", gt=0)
    num_iterations: int = opt(1, "Optimiser steps on each batch of completions.", ge=1)
    importance_sampling_level: str = opt("token", "Level of the probability ratio.", choices=("token", "sequence"))
    scale_rewards: str = opt(
        "group",
        "What the plain sum of rewards is scaled by (aggregation=sum_then_normalize).",
        choices=("group", "batch", "none"),
    )
    aggregation: str | None = opt(
        None,
        "normalize_then_sum normalises each reward within its group before they are added (GDPO); sum_then_normalize adds "
        "first; null takes the former from two terms on.",
        choices=("normalize_then_sum", "sum_then_normalize"),
    )
    mask_truncated_completions: bool = opt(True, "Completions that ran out of tokens, mostly while thinking, carry no loss.")
    logging_steps: int = opt(1, "Steps between metric lines.", ge=1)
    completions_steps: int = opt(10, "Steps between tables of completions; 0 writes none.", ge=0)
    save_steps: int | None = opt(None, "Steps between checkpoints; null saves on interruption only.", ge=1)
    save_total_limit: int = opt(2, "Checkpoints kept.", ge=1)
    gold_steps: int = opt(20, "Steps between comparisons of proxy and gold on held-out prompts; 0 makes none.", ge=0)
    gold_prompts: int = opt(32, "Held-out prompts in such a comparison.", ge=2)
    assistant_only_loss: bool = opt(True, "Only the assistant's tokens carry loss in the warm start.")
    warm_start: WarmStart = opt(WarmStart, "Supervised steps before.")
