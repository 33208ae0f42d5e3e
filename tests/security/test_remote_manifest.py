"""Opening a picture must not tell anybody. A picture can point to a manifest on the web; the c2pa library fetches it
unless told not to. A loopback server counts what arrives."""

from __future__ import annotations

import ast
import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import c2pa
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from detectors.finding import Profile, State
from detectors.signals.c2pa import MIME, detector
from tests.unit.signal_pictures import from_bytes, jpeg, scene

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("detectors", "desktop", "models")


@dataclass
class Beacon:
    """A server on this machine, and the paths that were asked of it."""

    address: str
    hits: list[str] = field(default_factory=list)


@pytest.fixture
def beacon() -> Iterator[Beacon]:
    found = Beacon("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.hits.append(self.path)
            self.send_error(404)

        do_HEAD = do_POST = do_GET  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.address = f"http://127.0.0.1:{server.server_port}/beacon"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


def planted(kind: str, address: str) -> bytes:
    """A picture whose XMP says that its manifest lies at `address`."""
    xmp = (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
        f' xmlns:dcterms="http://purl.org/dc/terms/" dcterms:provenance="{address}"/></rdf:RDF></x:xmpmeta>'
        '<?xpacket end="w"?>'
    )
    if kind == "JPEG":
        return jpeg(scene(64, 64), xmp=xmp.encode())
    info, out = PngInfo(), io.BytesIO()
    info.add_itxt("XML:com.adobe.xmp", xmp)
    Image.fromarray(scene(64, 64)).save(out, "PNG", pnginfo=info)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_our_signal_never_fetches(beacon: Beacon, kind: str) -> None:
    finding = detector.find(from_bytes(planted(kind, beacon.address)), Profile.FAST)
    assert beacon.hits == []
    assert (finding.state, finding.score) == (State.INCONCLUSIVE, None)
    assert "deliberately not fetched" in finding.says
    assert finding.details["address"] == beacon.address


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_bare_constructor_does_fetch(beacon: Beacon, kind: str) -> None:
    """The planted fault: were the library used without our context, the server would hear of it."""
    with pytest.raises(c2pa.C2paError):
        c2pa.Reader(MIME[kind], io.BytesIO(planted(kind, beacon.address)))
    assert beacon.hits


def imports_c2pa(source: str) -> bool:
    """Whether Python source imports the c2pa library, in any form."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import) and any(a.name.split(".")[0] == "c2pa" for a in node.names):
            return True
        if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").split(".")[0] == "c2pa":
            return True
        if isinstance(node, ast.Call) and any(isinstance(a, ast.Constant) and a.value == "c2pa" for a in node.args):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in ("import_module", "__import__"):
                return True
    return False


def readers_without_context(source: str) -> int:
    """How many times source makes a Reader or Builder of the library without naming a context."""
    calls = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call)]
    made = [c for c in calls if getattr(c.func, "attr", getattr(c.func, "id", "")) in ("Reader", "Builder")]
    return sum(not any(k.arg == "context" for k in c.keywords) for c in made)


def test_only_one_module_of_the_product_imports_the_library() -> None:
    sources = [p for folder in PRODUCT for p in (ROOT / folder).rglob("*.py")]
    assert len(sources) > 20
    users = [str(p.relative_to(ROOT)) for p in sources if imports_c2pa(p.read_text("utf-8"))]
    assert users == ["detectors/signals/c2pa.py"]


@pytest.mark.parametrize("path", ["detectors/signals/c2pa.py", "resources/make_demo.py"])
def test_the_library_is_only_used_with_a_context(path: str) -> None:
    assert readers_without_context((ROOT / path).read_text("utf-8")) == 0


@pytest.mark.parametrize(
    "fault",
    [
        "import c2pa",
        "from c2pa import Reader",
        "import c2pa.c2pa as x",
        'import importlib\nimportlib.import_module("c2pa")',
    ],
)
def test_the_source_check_can_fail(fault: str) -> None:
    assert imports_c2pa(fault)
    assert not imports_c2pa("from detectors.signals import c2pa")
    assert readers_without_context("c2pa.Reader('x.jpg')") == 1
