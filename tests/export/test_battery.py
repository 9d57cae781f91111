"""What is asked: conversations that the template takes, and prompts from the run's own data."""

from collections.abc import Callable
from pathlib import Path

from tests.export import shapes
from tests.export.finished import SMALL_WORLD, job_of

from trivium.export import battery
from trivium.schema import Config


def test_conversations_end_with_and_without_the_prompt_of_an_answer() -> None:
    found = battery.conversations(shapes.make_tokenizer("qwen2"))
    ends = {(turns[-1]["role"], ask) for turns, ask in found}
    assert ends == {("user", True), ("user", False), ("assistant", False)}
    assert any(turns[0]["role"] == "system" for turns, _ in found)


def test_a_template_without_system_messages_is_not_given_any() -> None:
    tokenizer = shapes.make_tokenizer("qwen2")
    refusal = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    tokenizer.chat_template = refusal + tokenizer.chat_template
    found = battery.conversations(tokenizer)
    assert found and all(turns[0]["role"] == "user" for turns, _ in found)


def test_prompts_are_spread_over_the_held_out_data(config_of: Callable[..., Config], tmp_path: Path) -> None:
    job = job_of(config_of("arms=null", f"cache_dir={tmp_path}", *SMALL_WORLD), tmp_path)
    tokenizer = shapes.make_tokenizer("llama_tied")
    few, many = battery.prompts(job, tokenizer, 2), battery.prompts(job, tokenizer, 10_000)
    assert len(few) == 2 and few[0] != few[1]
    assert few[0][-1]["role"] == "user" and "recorded" in few[0][-1]["content"]
    assert len(many) > len(list(battery._held_out(job)))
