import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, DebertaV2Config, DebertaV2Model

from quadmix_assets.features.domains.nvidia import NvidiaDomains, NvidiaDomainsSettings
from quadmix_assets.features.inference.checkpoint import CheckpointError
from quadmix_assets_tests.features.checkpoints import save_nvidia
from quadmix_assets_tests.features.inference.runtimes import cpu_runtime
from quadmix_assets_tests.features.texts import AWKWARD, prose

SETTINGS = NvidiaDomainsSettings(kind="nvidia")


def documents() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    texts = [prose(rng, n_sentences=int(n)) for n in rng.integers(1, 40, 20)]
    return pl.DataFrame({"text": [*texts, *AWKWARD.values()]})


def plain(folder: Path, texts: list[str]) -> torch.Tensor:
    """Probabilities one text at a time, as the model's card describes the network."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    encoder = DebertaV2Model(DebertaV2Config.from_pretrained(folder)).eval()
    inside = {
        name.removeprefix("model."): weight
        for name, weight in weights.items()
        if name.startswith("model.")
    }
    encoder.load_state_dict(inside)
    rows = []
    with torch.no_grad():
        for text in texts:
            inputs = tokenizer(text, return_tensors="pt", truncation=True, max_length=512)
            states = encoder(**inputs).last_hidden_state
            rows.append(states[0, 0] @ weights["fc.weight"].T + weights["fc.bias"])
    return torch.softmax(torch.stack(rows), dim=1)


def test_labels_and_confidence_are_those_of_a_plain_forward_pass(checkpoints: Path) -> None:
    folder = checkpoints / SETTINGS.model
    frame = documents()
    expected = plain(folder, frame["text"].to_list())
    names = json.loads((folder / "config.json").read_text())["id2label"]
    result = NvidiaDomains(SETTINGS, cpu_runtime(checkpoints)).classify(frame)
    assert result["domain"].to_list() == [names[str(n)] for n in expected.argmax(1).tolist()]
    np.testing.assert_allclose(result["confidence"], expected.max(1).values, atol=1e-5)
    assert result["domain"].n_unique() > 1


def test_openvino_gives_the_same_labels(checkpoints: Path) -> None:
    pytest.importorskip("openvino")
    frame = documents()
    expected = NvidiaDomains(SETTINGS, cpu_runtime(checkpoints)).classify(frame)
    found = NvidiaDomains(SETTINGS, cpu_runtime(checkpoints, engine="openvino")).classify(frame)
    assert found["domain"].equals(expected["domain"])
    np.testing.assert_allclose(found["confidence"], expected["confidence"], atol=1e-5)


def test_label_order_is_the_checkpoints(tmp_path: Path) -> None:
    frame = documents()
    domains = {}
    for order in (("a", "b", "c"), ("c", "a", "b")):
        folder = tmp_path / "".join(order)
        save_nvidia(folder, order)
        settings = NvidiaDomainsSettings(kind="nvidia", model=str(folder), names=("a", "b", "c"))
        domains[order] = NvidiaDomains(settings, cpu_runtime()).classify(frame)["domain"]
    renamed = domains["a", "b", "c"].replace({"a": "c", "b": "a", "c": "b"})
    assert renamed.equals(domains["c", "a", "b"], check_names=False)


def test_label_does_not_depend_on_the_batch(checkpoints: Path) -> None:
    frame = documents()
    together = NvidiaDomains(SETTINGS, cpu_runtime(checkpoints)).classify(frame)
    alone = NvidiaDomains(SETTINGS, cpu_runtime(checkpoints, batch_tokens=1)).classify(frame)
    assert together["domain"].equals(alone["domain"])
    np.testing.assert_allclose(together["confidence"], alone["confidence"], atol=1e-5)


def test_domains_that_differ_from_the_settings(tmp_path: Path) -> None:
    save_nvidia(tmp_path, ["a", "b", "x"])
    settings = NvidiaDomainsSettings(kind="nvidia", model=str(tmp_path), names=("a", "b", "c"))
    message = r"Only in the checkpoint: \['x'\]; only in the settings: \['c'\]"
    with pytest.raises(CheckpointError, match=message):
        NvidiaDomains(settings, cpu_runtime()).fit([], [], seed=0)


def test_architecture_of_deberta_v3_fills_what_the_config_leaves_out(tmp_path: Path) -> None:
    names = ("a", "b", "c")
    save_nvidia(tmp_path, names)
    settings = NvidiaDomainsSettings(kind="nvidia", model=str(tmp_path), names=names)
    before = NvidiaDomains(settings, cpu_runtime()).classify(documents())
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    for key in ("position_buckets", "norm_rel_ebd", "share_att_key", "relative_attention"):
        del config[key]
    path.write_text(json.dumps(config))
    assert NvidiaDomains(settings, cpu_runtime()).classify(documents()).equals(before)


def test_no_documents(checkpoints: Path) -> None:
    empty = pl.DataFrame({"text": []}, schema={"text": pl.String})
    result = NvidiaDomains(SETTINGS, cpu_runtime(checkpoints)).classify(empty)
    assert result.schema == {"domain": pl.String, "confidence": pl.Float64}
