"""What needs PyTorch: the networks' shapes, and that their ONNX form gives the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")
onnx = pytest.importorskip("onnx", reason="training needs the extra `train`")

from models.training import distil, export, network  # noqa: E402


def test_network_gives_features_at_any_size() -> None:
    net = network.Lite0().eval()
    for side in (distil.CROP, 224):
        assert net(torch.zeros(2, 3, side, side)).shape == (2, 944)


def test_a_probe_adds_up_to_its_logit() -> None:
    beta = torch.arange(7.0)
    probe = network.Probe(torch.nn.Flatten(), beta)
    views = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert float(torch.trace(probe(views)).detach()) == pytest.approx(float(views.ravel() @ beta[:-1] + beta[-1]))


@pytest.mark.parametrize("name", [export.FAST, export.THOROUGH])
def test_onnx_equals_torch_and_the_check_can_fail(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    small = network.Tokens(network.ClipTower(2), (0, 1), (0, 1, 2))
    features, width = (network.Lite0(), 944) if name == export.FAST else (small, 2 * 3 * 768)
    net = network.Probe(features, torch.randn(2 * width + 1) / 100).eval()
    export.to_onnx(net, tmp_path / f"{name}.onnx")
    monkeypatch.setitem(export.TOLERANCE, name, -1.0)
    with pytest.raises(RuntimeError, match="differs"):
        export.to_onnx(net, tmp_path / f"{name}.onnx")


def test_padding_joins_the_convolutions_and_the_answers_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    net = network.Probe(network.Lite0(), torch.randn(2 * 944 + 1) / 100).eval()
    plain, joined = tmp_path / "plain.onnx", tmp_path / "joined.onnx"
    export.write_graph(net, joined)
    monkeypatch.setattr(export, "join_padding", lambda _path: 0)
    export.write_graph(net, plain)
    monkeypatch.undo()
    for path, count in ((plain, 5), (joined, 0)):
        assert [n.op_type for n in onnx.load(str(path)).graph.node].count("Pad") == count
    pixels = {"pixels": np.random.default_rng(0).normal(size=(2, 3, 224, 224)).astype(np.float32)}
    before, after = (onnxruntime.InferenceSession(str(p)).run(None, pixels)[0] for p in (plain, joined))
    assert np.array_equal(before, after)
    assert export.join_padding(plain) == 5
    assert plain.read_bytes() == joined.read_bytes()
    assert export.join_padding(plain) == 0


def test_padding_that_is_no_zeros_before_a_convolution_is_refused(tmp_path: Path) -> None:
    class Grey(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.conv2d(
                torch.nn.functional.pad(x, (0, 1, 0, 1), value=0.5), torch.ones(1, 3, 2, 2)
            )

    with pytest.raises(ValueError, match="padding with zeros"):
        export.write_graph(Grey(), tmp_path / "grey.onnx")


def test_the_same_step_gives_the_same_batch() -> None:
    rng = np.random.default_rng(1)
    views = rng.integers(0, 256, (20, 2, 224, 224, 3), np.uint8)
    wanted = rng.normal(0, 1, (20, 2, distil.TARGETS)).astype(np.float32)
    (a, ya), (b, yb), (c, _) = (distil.batch(views, wanted, step) for step in (5, 5, 6))
    assert a.shape == (distil.BATCH, 3, distil.CROP, distil.CROP)
    assert ya.shape == (distil.BATCH, distil.TARGETS)
    assert torch.equal(a, b)
    assert torch.equal(ya, yb)
    assert not torch.equal(a, c)


def test_targets_have_unit_mean_square() -> None:
    seen = np.random.default_rng(2).normal(0, 1, (300, 2, 8, 3, 768)).astype(np.float16)
    wanted = distil.targets(seen)
    assert wanted.shape == (300, 2, distil.TARGETS)
    assert float((wanted**2).mean()) == pytest.approx(1, abs=1e-3)
