"""Every key a Trivium config may hold: its type, default, bounds and one sentence about it.

The dataclasses of this package are the single place for defaults and for documentation. Option files under `conf/` hold only
what differs. Nothing heavy is imported here; `trivium.check` binds a composed config to these types and reports every problem.
"""

from trivium.schema.acquire import AcquireConfig, EndpointsConfig, HttpConfig
from trivium.schema.config import VARIANTS, Config, group_schemas
from trivium.schema.dataset import (
    ChatConfig,
    ContaminationConfig,
    DatasetConfig,
    DedupConfig,
    GateConfig,
    LogicConfig,
    ProvenanceConfig,
    QuestionsConfig,
    RebalanceConfig,
    WorldConfig,
)
from trivium.schema.evaluation import CoherenceEvaluation, EvaluationConfig, JudgeConfig, PersonaEvaluation, PersonaTargets
from trivium.schema.export import GGUF_TYPES, ExportConfig, ParityConfig
from trivium.schema.fields import BANDS, STAGES, TASKS, TEXT_FILES, NoneConfig, opt
from trivium.schema.generator import ChecksConfig, OpenAIGenerator, TemplateGenerator
from trivium.schema.library import (
    ChunkConfig,
    DialogueConfig,
    GeneralConfig,
    LibraryConfig,
    LibraryWorld,
    PeriodConfig,
    RelevanceConfig,
    ThemesConfig,
)
from trivium.schema.loss import DistrustLoss, DistrustPublishedLoss, DistrustSampledLoss, UniformLoss
from trivium.schema.machine import AlertsConfig, BackendConfig, HardwareConfig, PlanConfig
from trivium.schema.method import LOSS_TYPES, GrpoMethod, SftMethod, WarmStart
from trivium.schema.model import FullAdapter, LoraAdapter, ModelConfig, ModelShape, QloraAdapter, TinyBuild
from trivium.schema.reward import RewardConfig, ScorerConfig, ScorersConfig, TermConfig
from trivium.schema.serve import ServeConfig, TalkConfig
from trivium.schema.sweep import PRUNERS, SAMPLERS, SweepConfig
from trivium.schema.tracking import MlflowTracking, WandbTracking

__all__ = [
    "BANDS",
    "GGUF_TYPES",
    "LOSS_TYPES",
    "PRUNERS",
    "SAMPLERS",
    "STAGES",
    "TASKS",
    "TEXT_FILES",
    "VARIANTS",
    "AcquireConfig",
    "AlertsConfig",
    "BackendConfig",
    "ChatConfig",
    "ChecksConfig",
    "ChunkConfig",
    "CoherenceEvaluation",
    "Config",
    "ContaminationConfig",
    "DatasetConfig",
    "DedupConfig",
    "DialogueConfig",
    "DistrustLoss",
    "DistrustPublishedLoss",
    "DistrustSampledLoss",
    "EndpointsConfig",
    "EvaluationConfig",
    "ExportConfig",
    "FullAdapter",
    "GateConfig",
    "GeneralConfig",
    "GrpoMethod",
    "HardwareConfig",
    "HttpConfig",
    "JudgeConfig",
    "LibraryConfig",
    "LibraryWorld",
    "LogicConfig",
    "LoraAdapter",
    "MlflowTracking",
    "ModelConfig",
    "ModelShape",
    "NoneConfig",
    "OpenAIGenerator",
    "ParityConfig",
    "PeriodConfig",
    "PersonaEvaluation",
    "PersonaTargets",
    "PlanConfig",
    "ProvenanceConfig",
    "QloraAdapter",
    "QuestionsConfig",
    "RebalanceConfig",
    "RelevanceConfig",
    "RewardConfig",
    "ScorerConfig",
    "ScorersConfig",
    "ServeConfig",
    "SftMethod",
    "SweepConfig",
    "TalkConfig",
    "TemplateGenerator",
    "TermConfig",
    "ThemesConfig",
    "TinyBuild",
    "UniformLoss",
    "WandbTracking",
    "WarmStart",
    "WorldConfig",
    "group_schemas",
    "opt",
]
