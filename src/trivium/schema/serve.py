"""Schemas of the groups `serve` and `talk`: how a finished run is tried."""

from dataclasses import dataclass

from trivium.schema.export import GGUF_TYPES
from trivium.schema.fields import opt


@dataclass
class ServeConfig:
    """An OpenAI-compatible server for a finished run (`from_run`)."""

    name: str = opt(
        "transformers",
        "Program: transformers serve, llama.cpp's server or MLX-LM's.",
        choices=("transformers", "llama_cpp", "mlx"),
    )
    host: str = opt("127.0.0.1", "Address to listen on.")
    port: int = opt(8000, "Port; 0 takes a free one.", ge=0, le=65535)
    type: str = opt("q8_0", "GGUF type that llama.cpp's server serves.", choices=GGUF_TYPES)
    n_ctx: int | None = opt(None, "Context of llama.cpp's server in tokens; null takes model.max_length, at least 2048.", ge=8)
    check: bool = opt(True, "Ask one question through the openai client once it is up, and compare the answer.")
    timeout: float = opt(300.0, "Seconds that it may take to come up.", gt=0)


@dataclass
class TalkConfig:
    """A conversation in the terminal with a finished run (`from_run`), base and tuned side by side."""

    name: str = opt("greedy", "Label.")
    base: bool = opt(True, "The base model answers too.")
    temperature: float = opt(0.0, "Sampling temperature; 0 takes the likeliest token.", ge=0)
    top_p: float = opt(1.0, "Nucleus sampling.", gt=0, le=1)
    max_new_tokens: int = opt(256, "Longest answer in tokens.", ge=1)
    system: str | None = opt(None, "System message; null takes the one that was trained with.")
