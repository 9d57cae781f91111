"""Scores of chosen positions equal those that the whole model gives, in chunks, behind an adapter, and with rescaled logits."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, GraniteConfig, GraniteForCausalLM

from trivium.models import head

IDS = torch.randint(5, 300, (4, 12), generator=torch.Generator().manual_seed(0))
MASK = torch.rand((4, 12), generator=torch.Generator().manual_seed(1)) < 0.4


def check(model: Any) -> None:
    with torch.inference_mode():
        chosen = torch.cat(list(head.logits_at(model, IDS, MASK)))
        torch.testing.assert_close(chosen, model(input_ids=IDS).logits[MASK], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("limit", [head.MAX_LOGITS, 700])
def test_chosen_positions_plain_and_in_chunks(random_model: Path, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(head, "MAX_LOGITS", limit)
    check(AutoModelForCausalLM.from_pretrained(random_model).eval())


def test_an_adapter_is_part_of_the_scores(random_model: Path) -> None:
    base = AutoModelForCausalLM.from_pretrained(random_model)
    tuned = get_peft_model(base, LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)).eval()
    check(tuned)


def test_logits_that_are_rescaled_after_the_head() -> None:
    shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    torch.manual_seed(0)
    check(GraniteForCausalLM(GraniteConfig(vocab_size=300, num_key_value_heads=4, logits_scaling=7.0, **shape)).eval())


def test_what_stands_before_right_padding_does_not_see_it(random_model: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(random_model).eval()
    mask = torch.zeros_like(MASK)
    mask[:, :6] = True
    with torch.inference_mode():
        whole = torch.cat(list(head.logits_at(model, IDS, mask)))
        padded = torch.cat(list(head.logits_at(model, torch.where(torch.arange(12) < 6, IDS, 0), mask)))
    torch.testing.assert_close(whole, padded)
