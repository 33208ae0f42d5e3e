"""What needs PyTorch: the networks' shapes, and that their ONNX form gives the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="training needs the extra `train`")
onnx = pytest.importorskip("onnx", reason="training needs the extra `train`")

from models.training import data, distil, export, metrics, network, probes, teacher  # noqa: E402


def test_network_gives_features_at_any_size() -> None:
    net = network.Lite0().eval()
    for side in (distil.CROP, 224):
        assert net(torch.zeros(2, 3, side, side)).shape == (2, 944)


def test_a_probe_adds_up_to_its_logit() -> None:
    beta = torch.arange(7.0)
    probe = network.Probe(torch.nn.Flatten(), beta)
    views = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert float(torch.trace(probe(views)).detach()) == pytest.approx(float(views.ravel() @ beta[:-1] + beta[-1]))


@pytest.fixture(scope="module")
def tower() -> network.ClipTower:
    torch.manual_seed(0)
    return network.ClipTower(11).eval()


def test_both_parts_of_clip_together_are_the_probe_on_its_class_tokens(tower: network.ClipTower) -> None:
    blocks, probe, pixels = (5, 6, 8, 10), torch.nn.Linear(4 * 768, 1), torch.randn(2, 3, 224, 224)
    with torch.inference_mode():
        seen = tower(pixels)
        features, tokens, patches = network.Trunk(tower)(pixels)
        found = network.Rest(tower, blocks, probe)(features, tokens)
        expected = probe(seen[:, list(blocks), 0].reshape(2, -1))
    assert torch.allclose(features, seen[:, 5:8].reshape(2, -1), atol=1e-5)
    assert torch.allclose(found, expected, atol=1e-3)
    assert torch.equal(patches[..., -768:], tokens[:, 1:])
    first = patches[..., 3 * 768 : 4 * 768]  # of block 5
    assert torch.allclose(first.mean(1), seen[:, 5, 1], atol=1e-5)


def test_clip_in_onnx_equals_torch_and_the_check_can_fail(
    tower: network.ClipTower, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").mkdir()
    monkeypatch.setattr(data, "ROOT", tmp_path)
    parts = network.Trunk(tower).eval(), network.Rest(tower, (5, 10), torch.nn.Linear(2 * 768, 1)).eval()
    files = export.write_clip(*parts)
    assert [files[n].stem for n in (export.TRUNK, export.THOROUGH)] == ["clip-trunk", "generated-clip"]
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    with pytest.raises(RuntimeError, match="differs"):
        export.write_clip(*parts)


def test_a_probe_can_be_taken_off_the_small_network_and_another_put_on(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = network.Lite0().eval()
    beta = np.random.default_rng(0).normal(size=2 * 944 + 1) / 100
    paths = [tmp_path / f"{k}.onnx" for k in range(4)]
    export.write_graph(net, paths[0])
    export.with_probe(paths[0], beta, paths[1])
    export.without_probe(paths[1], paths[2])
    export.with_probe(paths[2], beta, paths[3])
    pixels = np.random.default_rng(1).normal(size=(2, 3, 224, 224)).astype(np.float32)
    found = [onnxruntime.InferenceSession(str(p)).run(None, {"pixels": pixels})[0] for p in paths]
    probe = network.Probe(net, torch.from_numpy(beta.astype(np.float32))).eval()
    assert found[1] == pytest.approx(probe(torch.from_numpy(pixels)).detach().numpy(), abs=1e-3)
    assert np.array_equal(found[2], found[0])
    assert np.array_equal(found[3], found[1])
    export.halve(paths[3])
    assert paths[3].stat().st_size < 0.55 * paths[1].stat().st_size
    half = onnxruntime.InferenceSession(str(paths[3])).run(None, {"pixels": pixels})[0]
    assert half == pytest.approx(found[1], abs=0.05)
    assert not np.array_equal(half, found[1])


def test_a_kernel_learns_what_no_line_divides_and_its_network_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "KERNEL_AXES", 4)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4)) * [1.0, 2.0, 0.5, 3.0] + 5
    y = (np.prod((x[:, :2] - 5), 1) > 0).astype(np.int64)
    weight = metrics.balanced(y[:200])
    fitted = probes.kernel(x[:200], y[:200], weight)
    own, unseen = fitted(x[:200]), fitted(x[200:])
    assert weight @ own == pytest.approx(0, abs=1e-3)  # both classes count the same
    assert metrics.auc(unseen, y[200:]) > 0.85
    assert metrics.auc(x[200:] @ probes.probe(x[:200], y[:200], weight, 1e-3)[:-1], y[200:]) < 0.7
    assert pytest.approx(fitted.points) == (fitted.turn.T @ (x[:200] - fitted.shift).T).T
    assert np.square(fitted.points).sum(1).mean() == pytest.approx(1)
    parts = (torch.from_numpy(v.astype(np.float32)) for v in (fitted.shift, fitted.turn, fitted.points, fitted.weight))
    net = network.Gaussian(*parts, fitted.bias)
    with torch.inference_mode():
        answers = net(torch.from_numpy(x[200:].astype(np.float32))).numpy()[:, 0]
    turn, points = net.turn.detach().numpy(), net.across.detach().numpy().T  # at the steps that int8 keeps
    assert turn == pytest.approx(fitted.turn, abs=np.abs(fitted.turn).max() / 200)
    z = x[200:] @ turn - fitted.shift @ fitted.turn
    assert answers == pytest.approx(probes.near(z, points) @ fitted.weight + fitted.bias, abs=1e-2)


def test_stored_steps_are_those_that_int8_keeps(tmp_path: Path) -> None:
    matrix = network.Gaussian.steps(torch.randn(600, 500, generator=torch.Generator().manual_seed(0)))
    node = onnx.helper.make_node("MatMul", ["x", "matrix"], ["y"])
    values = [
        onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, ["n", d]) for n, d in (("x", 600), ("y", 500))
    ]
    kept = onnx.numpy_helper.from_array(matrix.numpy(), "matrix")
    graph = onnx.helper.make_graph([node], "g", values[:1], values[1:], [kept])
    path = tmp_path / "g.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), str(path))
    export.quantise(path)
    tensors = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(str(path)).graph.initializer}
    again = tensors["matrix_int8"].astype(np.float32) * tensors["matrix_scale"]
    assert again == pytest.approx(matrix.numpy(), abs=1e-6)


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


def test_a_framed_copy_has_a_photographs_shape_and_is_not_saved_again(tmp_path: Path) -> None:
    y, x = np.mgrid[0:240, 0:240].astype(np.uint8)
    path = tmp_path / "places.png"  # each pixel says where it lay
    Image.fromarray(np.stack([x, y, x ^ y], 2)).save(path)
    photo, made = (data.Item(path, label, "g", "r", 0) for label in (0, 1))
    picture, sizes, whole = np.stack([x, y, x ^ y], 2), [(400, 200)], {teacher.FRAMED: 0, "messenger": 0}
    for k in range(12):
        for item, aspect in ((photo, 1.0), (made, 2.0)):
            for kind in whole:
                seen = teacher.copy([item] * 12, k, kind, sizes)
                assert np.array_equal(seen, teacher.copy([item] * 12, k, kind, sizes))
                assert seen.shape[1] / seen.shape[0] == pytest.approx(aspect, abs=0.03)
                left, top = seen[0, 0, :2]
                window = picture[top : top + seen.shape[0], left : left + seen.shape[1]]
                whole[kind] += np.array_equal(seen, window)  # to the last bit
    assert whole[teacher.FRAMED] >= 6  # the others were shrunk
    assert whole["messenger"] == 0
