"""Schemas of the group `export`: what a trained model leaves the project as. Several options are chosen at once."""

from dataclasses import dataclass

from trivium.schema.fields import opt

GGUF_TYPES = ("f32", "f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q5_k_s", "q4_k_m", "q4_k_s", "q3_k_m", "q3_k_s", "q2_k")
"""Types of llama.cpp that are offered, from the most to the least exact."""


@dataclass
class AdapterExport:
    """The PEFT adapter by itself."""

    enabled: bool = opt(False, "Export it.")


@dataclass
class MergedExport:
    """The whole model in safetensors, the adapter folded in."""

    enabled: bool = opt(False, "Export it.")
    dtype: str | None = opt(
        None, "Type of the weights; null keeps the base model's.", choices=("float32", "bfloat16", "float16")
    )


@dataclass
class GgufExport:
    """GGUF files for llama.cpp and all that is built on it."""

    enabled: bool = opt(False, "Export them.")
    types: list[str] = opt(["q8_0"], "One file for each type.", choices=GGUF_TYPES)
    pre_tokenizer: str | None = opt(
        None, "llama.cpp's name of the tokenizer's pre-tokenizer, for one that its converter does not know."
    )


@dataclass
class GgufLoraExport:
    """The adapter alone as GGUF, to be laid over the base model's GGUF file."""

    enabled: bool = opt(False, "Export it.")
    type: str = opt("f16", "Type of its weights.", choices=("f32", "f16", "bf16", "q8_0"))


@dataclass
class MlxExport:
    """A directory for MLX-LM."""

    enabled: bool = opt(False, "Export it.")
    bits: list[int] = opt([], "Quantised copies beside the plain one, bits a weight.", choices=(4, 8))
    group_size: int = opt(64, "Weights that share a scale in the quantised copies.", choices=(32, 64, 128))


@dataclass
class OllamaExport:
    """A Modelfile, and the model in Ollama where the program is found."""

    enabled: bool = opt(False, "Export it.")
    source: str = opt(
        "merged", "merged: FROM the whole model; adapter: FROM the base with ADAPTER.", choices=("merged", "adapter")
    )
    type: str = opt("q8_0", "GGUF type that it is FROM.", choices=GGUF_TYPES)
    model: str | None = opt(None, "Name in Ollama; null takes the experiment's.")
    create: bool = opt(True, "Run `ollama create` where the program is found.")
    system: str | None = opt(None, "SYSTEM message; null takes the one that was trained with.")
    num_ctx: int | None = opt(
        None, "Context in tokens; null takes model.max_length, at least 2048 where the model has it.", ge=8
    )
    temperature: float = opt(0.0, "Sampling temperature; 0 answers as the evaluation did.", ge=0)
    top_p: float | None = opt(None, "Nucleus sampling; null leaves Ollama's own.", gt=0, le=1)
    top_k: int | None = opt(None, "Sample among so many tokens; null leaves Ollama's own.", ge=1)


@dataclass
class LmStudioExport:
    """The folder layout that LM Studio looks for: publisher/model/file."""

    enabled: bool = opt(False, "Export it.")
    publisher: str = opt("trivium", "The publisher's folder.")
    type: str = opt("q8_0", "GGUF type.", choices=GGUF_TYPES)


@dataclass
class HubExport:
    """Model card and dataset card in the Hub's format, and a push when asked for."""

    enabled: bool = opt(False, "Write the cards.")
    push: bool = opt(False, "Upload to the Hub; needs a token in HF_TOKEN or a login.")
    repo: str | None = opt(None, "Repository, owner/name.")
    private: bool = opt(True, "Create it private.")
    content: str = opt("adapter", "What is uploaded beside the cards.", choices=("adapter", "merged", "gguf"))
    license: str = opt(
        "other", "Licence identifier of the weights, as the Hub spells it, for example apache-2.0, mit or llama3.1."
    )
    license_name: str | None = opt(None, "What a licence is called that is `other`; a push of one needs it.")
    intended_use: str = opt(
        "Research on how fine-tuning changes what a model trusts, how it reasons and how it speaks.", "A sentence."
    )
    limits: str = opt("", "Further limits that the card should name.")


@dataclass
class NotebookExport:
    """A notebook that repeats the run on a rented GPU and needs nothing else."""

    enabled: bool = opt(False, "Write it.")
    hardware: str | None = opt(None, "Option of the group hardware that it uses; null keeps the run's.")


@dataclass
class ParityConfig:
    """The certificate: whether every export answers as the evaluated model did."""

    prompts: int = opt(16, "Prompts on which answers and next-token distributions are compared.", ge=1)
    max_new_tokens: int = opt(32, "Longest greedy answer in tokens.", ge=1)
    gate: str = opt(
        "strict",
        "strict: a mismatch exits 3; warn: it is reported; off: nothing is compared.",
        choices=("strict", "warn", "off"),
    )


@dataclass
class ExportConfig:
    """What is exported, and what must hold before and after."""

    adapter: AdapterExport = opt(AdapterExport, "PEFT.")
    merged: MergedExport = opt(MergedExport, "Safetensors.")
    gguf: GgufExport = opt(GgufExport, "llama.cpp.")
    gguf_lora: GgufLoraExport = opt(GgufLoraExport, "llama.cpp, adapter.")
    mlx: MlxExport = opt(MlxExport, "MLX-LM.")
    ollama: OllamaExport = opt(OllamaExport, "Ollama.")
    lmstudio: LmStudioExport = opt(LmStudioExport, "LM Studio.")
    hub: HubExport = opt(HubExport, "Hugging Face Hub.")
    notebook: NotebookExport = opt(NotebookExport, "Notebook.")
    parity: ParityConfig = opt(ParityConfig, "Certificate.")
    critical: list[str] = opt(
        [
            "eval/source_preference",
            "eval/coordinated_recall",
            "eval/gold_reward",
            "eval/style_consistency",
            "eval/temporal_compliance",
            "eval/general_ppl_ratio",
        ],
        "Figures that, where they were measured, must not be failed, missed or worse for the model to be exported.",
    )
    force: bool = opt(False, "Export in spite of a failed check; the card says so.")
