"""Bytes of the models that rewards ask."""

from pathlib import Path

from trivium.schema import Config, ScorerConfig


def scorer_bytes(config: Config) -> float:
    """Bytes of the scorers that live on the trained model's device, as far as their files are on this machine."""
    if config.hardware.device == "cpu":
        return 0.0
    return sum(bytes_of(scorer) or 0.0 for scorer in _sharing(config))


def unknown(config: Config) -> list[str]:
    """Scorers on the device whose size cannot be told, for they are not downloaded."""
    return [str(scorer.path) for scorer in _sharing(config) if bytes_of(scorer) is None]


def _sharing(config: Config) -> list[ScorerConfig]:
    scorers = (config.reward.scorers.nli, config.reward.scorers.embeddings)
    return [scorer for scorer in scorers if scorer.device == config.hardware.device and scorer.path is not None]


def bytes_of(scorer: ScorerConfig) -> float | None:
    """Size of the weights' files of a local or downloaded model."""
    if scorer.path is None:
        return 0.0
    folder = Path(scorer.path).expanduser()
    if not folder.is_dir():
        found = _downloaded(scorer)
        if found is None:
            return None
        folder = found
    return float(sum(file.stat().st_size for file in folder.rglob("*.safetensors")))


def _downloaded(scorer: ScorerConfig) -> Path | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    assert scorer.path is not None
    try:
        found = try_to_load_from_cache(scorer.path, "config.json", revision=scorer.revision)
    except HFValidationError:
        return None
    return Path(found).parent if isinstance(found, str) else None
