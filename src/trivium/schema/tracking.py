"""Schemas of the group `tracking`."""

from dataclasses import dataclass

from trivium.schema.fields import opt


@dataclass
class MlflowTracking:
    """MLflow beside the local JSONL."""

    name: str = opt("mlflow", "Tracker.", choices=("mlflow",))
    uri: str = opt("sqlite:///outputs/mlflow.db", "Tracking URI.")
    experiment: str = opt("trivium", "MLflow experiment.")
    timeout: int = opt(20, "Seconds to wait for a locked database or a silent server before saying so.", ge=1)


@dataclass
class WandbTracking:
    """Weights & Biases beside the local JSONL; needs the wandb package."""

    name: str = opt("wandb", "Tracker.", choices=("wandb",))
    project: str = opt("trivium", "W&B project.")
    mode: str = opt("offline", "offline writes below outputs/wandb, online sends.", choices=("offline", "online"))
