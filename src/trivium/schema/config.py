"""The whole configuration, and the groups whose keys depend on the option."""

from dataclasses import dataclass, fields
from typing import Any

from trivium.schema.acquire import AcquireConfig
from trivium.schema.dataset import DatasetConfig
from trivium.schema.evaluation import CoherenceEvaluation, EvaluationConfig, PersonaEvaluation
from trivium.schema.export import ExportConfig
from trivium.schema.fields import STAGES, TASKS, NoneConfig, opt
from trivium.schema.generator import OpenAIGenerator, TemplateGenerator
from trivium.schema.loss import DistrustLoss, DistrustPublishedLoss, DistrustSampledLoss, UniformLoss
from trivium.schema.machine import AlertsConfig, BackendConfig, HardwareConfig, PlanConfig
from trivium.schema.method import GrpoMethod, SftMethod
from trivium.schema.model import FullAdapter, LoraAdapter, ModelConfig, QloraAdapter
from trivium.schema.reward import RewardConfig
from trivium.schema.serve import ServeConfig, TalkConfig
from trivium.schema.sweep import SweepConfig
from trivium.schema.tracking import MlflowTracking, WandbTracking


@dataclass
class Config:
    """A run."""

    name: str = opt("run", "Name of the experiment; names the output folder and the MLflow run.")
    seed: int = opt(0, "Seed of training: initialisation, order, dropout.", ge=0, le=2**32 - 1)
    task: str = opt("run", "What to do.", choices=TASKS)
    stages: list[str] = opt(list(STAGES), "Stages of task=run, in order.", choices=STAGES)
    from_run: str | None = opt(
        None, "Folder of a finished run that task=chat, task=serve or stages=[export] take up; its settings are kept."
    )
    reproduces: str | None = opt(None, "MLflow id of the run, or folder of the run, that task=reproduce makes again.")
    fork: bool = opt(False, "Train anew where an unfinished training with other settings lies, instead of refusing to.")
    cache_dir: str = opt("data/cache", "Where prepared data and built models are shared between runs.")
    arms: dict[str, list[str]] | None = opt(
        None, "Control arms, name: [overrides], trained and evaluated beside the experiment; null for none."
    )
    starts_from: str | None = opt(
        None, "Arm whose merged weights this training starts from, a stage before it; null starts from the base model."
    )
    acquire: AcquireConfig = opt(AcquireConfig, "Fetched from where.")
    model: ModelConfig = opt(ModelConfig, "Which weights.")
    adapter: Any = opt(LoraAdapter, "Which of them train.")
    hardware: HardwareConfig = opt(HardwareConfig, "What the machine holds.")
    backend: BackendConfig = opt(BackendConfig, "Which library trains.")
    plan: PlanConfig = opt(PlanConfig, "Forecast how.")
    method: Any = opt(SftMethod, "How it trains.")
    dataset: DatasetConfig = opt(DatasetConfig, "On what.")
    generator: Any = opt(TemplateGenerator, "Conversations written by whom.")
    loss: Any = opt(DistrustLoss, "With what loss.")
    reward: RewardConfig = opt(RewardConfig, "With what rewards.")
    evaluation: Any = opt(EvaluationConfig, "Measured how.")
    export: ExportConfig = opt(ExportConfig, "Exported as what.")
    serve: ServeConfig = opt(ServeConfig, "Served how, with task=serve.")
    talk: TalkConfig = opt(TalkConfig, "Talked to how, with task=chat.")
    alerts: AlertsConfig = opt(AlertsConfig, "Watched for what while it trains.")
    tracking: Any = opt(MlflowTracking, "Recorded where.")
    sweep: SweepConfig = opt(SweepConfig, "Searched how, with -m.")


VARIANTS: dict[str, dict[str, type]] = {
    "adapter": {"lora": LoraAdapter, "qlora": QloraAdapter, "full": FullAdapter},
    "method": {"sft": SftMethod, "grpo": GrpoMethod},
    "loss": {
        "uniform": UniformLoss,
        "distrust": DistrustLoss,
        "distrust_sampled": DistrustSampledLoss,
        "distrust_published": DistrustPublishedLoss,
    },
    "generator": {"template": TemplateGenerator, "openai": OpenAIGenerator},
    "evaluation": {
        "provenance": EvaluationConfig,
        "coherence": CoherenceEvaluation,
        "persona": PersonaEvaluation,
        "none": NoneConfig,
    },
    "tracking": {"mlflow": MlflowTracking, "wandb": WandbTracking, "none": NoneConfig},
}
"""Groups whose keys depend on the option: group -> value of its `name` -> schema."""


def group_schemas(group: str) -> dict[str, type]:
    """The schemas of a config group by option name; a group of one shape has the single key `""`."""
    if group in VARIANTS:
        return VARIANTS[group]
    return {"": next(f for f in fields(Config) if f.name == group).type}  # type: ignore[dict-item]
