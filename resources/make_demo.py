"""Makes the pictures in resources/demo from free photographs and from patterns computed here.

    python -m pip install scikit-image      # only this script needs it, for the photographs that it ships
    python -m resources.make_demo           # writes resources/demo

Origin and licence of each picture: resources/DEMO.md. The result is the same on every run, except for the signed
picture, whose certificate, signature and identifiers are new each time. No person is shown but a public figure in a
portrait that NASA released into the public domain.
"""

from __future__ import annotations

import datetime
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter
from PIL.PngImagePlugin import PngInfo

Rgb = npt.NDArray[np.uint8]
HERE = Path(__file__).resolve().parent / "demo"
REQUEST = "request.toml"  # the example of a takedown request, which is written by hand
SIZE = 512

# ---------------------------------------------------------------- patterns


def hills() -> Rgb:
    """(512, 512, 3) layered hills under an evening sky."""
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float64) / SIZE
    sky = np.stack([0.95 - 0.45 * y, 0.62 + 0.15 * y, 0.55 + 0.35 * (1 - y)], axis=-1)
    sun = np.exp(-((x - 0.7) ** 2 + (y - 0.28) ** 2) / 0.006)[..., None]
    picture = sky * (1 - sun) + np.array([1.0, 0.93, 0.7]) * sun
    rng = np.random.default_rng(5)
    for layer in range(6):
        top = 0.42 + 0.09 * layer
        for octave in range(1, 7):
            top = top + 0.035 / octave * np.sin(2 * np.pi * (octave * 1.3 * x + rng.random()))
        shade = np.array([0.36, 0.42, 0.5]) * (1 - layer / 8) + np.array([0.03, 0.1, 0.06])
        grain = rng.normal(0, 0.012, (SIZE, SIZE, 1))
        picture = np.where((y > top)[..., None], shade + grain, picture)
    return _bytes(picture)


def interference() -> Rgb:
    """(512, 512, 3) waves from five sources."""
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float64) / SIZE
    rng = np.random.default_rng(6)
    waves = sum(np.sin(40 * np.hypot(x - cx, y - cy)) for cx, cy in rng.random((5, 2)))
    phase = waves * 0.9 + 3 * y
    return _bytes(0.5 + 0.42 * np.stack([np.cos(phase), np.cos(phase + 1.4), np.cos(phase + 2.6)], axis=-1))


def julia() -> Rgb:
    """(512, 512, 3) a Julia set, c = -0.8 + 0.156i."""
    y, x = np.mgrid[-1.1 : 1.1 : SIZE * 1j, -1.6 : 1.6 : SIZE * 1j]
    z = x + 1j * y
    steps = np.zeros(z.shape)
    for _ in range(120):
        inside = np.abs(z) < 4
        z[inside] = z[inside] ** 2 - 0.8 + 0.156j
        steps += inside
    smooth = np.log1p(steps) / np.log(121)
    return _bytes(np.stack([smooth**1.5, smooth**0.9 * 0.8, 0.25 + 0.6 * smooth**0.5], axis=-1))


def mosaic() -> Rgb:
    """(512, 512, 3) a soft mosaic of 90 cells."""
    rng = np.random.default_rng(8)
    centres, colours = rng.random((90, 2)) * SIZE, 0.2 + 0.6 * rng.random((90, 3))
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    distance = np.hypot(x[..., None] - centres[:, 0], y[..., None] - centres[:, 1])
    nearest = np.sort(distance, axis=-1)[..., :2]
    edge = np.clip((nearest[..., 1] - nearest[..., 0]) / 6, 0.35, 1)[..., None]
    return _bytes(colours[distance.argmin(axis=-1)] * edge + rng.normal(0, 0.015, (SIZE, SIZE, 1)))


def _bytes(values: npt.NDArray[np.float64]) -> Rgb:
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


# ---------------------------------------------------------------- marks


def watermark(rgb: Rgb, message: str | npt.NDArray[np.bool_] = "StableDiffusionV1", centre: float = 128) -> Rgb:
    """The picture with an invisible mark, by the method that detectors/signals/watermark.py describes.

    (h, w, 3) in and out; h and w are cut to multiples of 8. `message` is text or bits. `centre` is what stands for
    no colour in U: 128 in programs that mark bytes, 0.5 in those that mark floats.
    """
    h, w = rgb.shape[0] // 8 * 8, rgb.shape[1] // 8 * 8
    pixels = rgb[:h, :w].astype(np.float64)
    luma = pixels @ [0.299, 0.587, 0.114]
    u = 0.492 * (pixels[..., 2] - luma) + centre
    approximation = u.reshape(h // 2, 2, w // 2, 2).sum(axis=(1, 3)) / 2
    blocks = approximation.reshape(h // 8, 4, w // 8, 4).transpose(0, 2, 1, 3).reshape(-1, 16)
    bits = np.unpackbits(np.frombuffer(message.encode(), np.uint8)) if isinstance(message, str) else message
    bit = bits[np.arange(len(blocks)) % len(bits)]
    rows = np.arange(len(blocks))
    largest = np.abs(blocks[:, 1:]).argmax(axis=1) + 1
    value = blocks[rows, largest]
    moved = np.sign(value) * (np.abs(value) // 36 + 0.25 + 0.5 * bit) * 36
    change = np.zeros_like(blocks)
    change[rows, largest] = moved - value
    change = change.reshape(h // 8, w // 8, 4, 4).transpose(0, 2, 1, 3).reshape(h // 2, w // 2)
    du = np.repeat(np.repeat(change / 2, 2, axis=0), 2, axis=1)
    # The inverse of U with luma and V kept: B = Y + 2.032 (U - 128), G = Y - 0.395 (U - 128) - ...
    pixels[..., 2] += 2.032 * du
    pixels[..., 1] -= 0.395 * du
    return np.rint(np.clip(pixels, 0, 255)).astype(np.uint8)


def xmp(source_type: str, credit: str = "") -> bytes:
    """An XMP packet with IPTC's DigitalSourceType and, if given, a credit line."""
    credit = f' photoshop:Credit="{credit}"' if credit else ""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
        ' xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"'
        f' Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/{source_type}"{credit}/>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def test_signer() -> Any:
    """A c2pa Signer with a certificate authority and certificate made on the spot; nobody should trust either."""
    import c2pa
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def name(common: str) -> x509.Name:
        organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Counterproof demo, not a real signer")
        return x509.Name([organisation, x509.NameAttribute(NameOID.COMMON_NAME, common)])

    def certificate(subject: x509.Name, key: Any, is_authority: bool) -> x509.Certificate:
        usage = dict.fromkeys(
            ("key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
        )
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(authority_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC))
            .not_valid_after(datetime.datetime(2124, 1, 1, tzinfo=datetime.UTC))
            .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
            .add_extension(
                x509.KeyUsage(not is_authority, False, key_cert_sign=is_authority, crl_sign=is_authority, **usage),
                critical=True,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
            )
        )
        if not is_authority:  # the C2PA specification's certificate profile, 14.5.1
            builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
        return builder.sign(authority_key, hashes.SHA256())

    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority_name = name("Test authority")
    chain = [certificate(name("Test signer"), key, False), certificate(authority_name, authority_key, True)]
    pem = serialization.Encoding.PEM
    return c2pa.Signer.from_info(
        c2pa.C2paSignerInfo(
            b"es256",
            b"".join(c.public_bytes(pem) for c in chain),
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
            None,
        )
    )


def signed(jpeg: bytes, source_type: str) -> bytes:
    """The JPEG with a C2PA manifest that says it was created as `source_type`, signed by `test_signer`."""
    import c2pa

    created = {
        "action": "c2pa.created",
        "digitalSourceType": f"http://cv.iptc.org/newscodes/digitalsourcetype/{source_type}",
    }
    manifest = {
        "claim_generator_info": [{"name": "Counterproof demo", "version": "1"}],
        "title": "Demo picture",
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [created]}}],
    }
    settings = {
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
        "builder": {"thumbnail": {"enabled": False}},
    }
    context = c2pa.Context(c2pa.Settings.from_json(json.dumps(settings)))
    out = io.BytesIO()
    with c2pa.Builder(manifest, context=context) as builder:
        builder.sign(test_signer(), "image/jpeg", io.BytesIO(jpeg), out)
    return out.getvalue()


A1111 = (
    "rolling hills at dusk, watercolour, soft light\n"
    "Negative prompt: text, frame\n"
    "Steps: 28, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 20240517, Size: 512x512, "
    "Model hash: 0000000000, Model: demo-model-v1, Version: v1.10.1"
)


def comfyui() -> dict[str, str]:
    """The two PNG texts of a small ComfyUI workflow: `prompt` and `workflow`."""
    sampler = {"seed": 7, "steps": 20, "cfg": 7.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
    links = {"model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}
    prompt = {
        "3": {"class_type": "KSampler", "inputs": {**sampler, **links}},
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "demo-model-v1.safetensors"}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 512, "batch_size": 1}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "ripples on a lake, bright", "clip": ["4", 1]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "text, frame", "clip": ["4", 1]}},
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
        "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "demo", "images": ["8", 0]}},
    }
    nodes = [{"id": int(k), "type": v["class_type"], "widgets_values": []} for k, v in prompt.items()]
    return {"prompt": json.dumps(prompt), "workflow": json.dumps({"nodes": nodes, "links": [], "version": 0.4})}


# ---------------------------------------------------------------- files


def jpeg(rgb: Rgb, quality: int = 90, **more: Any) -> bytes:
    """The picture as JPEG."""
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "JPEG", quality=quality, **more)
    return out.getvalue()


def png(rgb: Rgb, texts: dict[str, str] | None = None) -> bytes:
    """The picture as PNG with the given tEXt chunks."""
    info, out = PngInfo(), io.BytesIO()
    for key, value in (texts or {}).items():
        info.add_text(key, value)
    Image.fromarray(rgb).save(out, "PNG", pnginfo=info, optimize=True)
    return out.getvalue()


def other(rgb: Rgb, kind: str, quality: int) -> bytes:
    """The picture as HEIF or AVIF."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, kind, quality=quality)
    return out.getvalue()


def camera_exif() -> Image.Exif:
    """The EXIF block of a camera that does not exist."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0132] = "Example Optics", "Example Optics EX-1", "2024:05:17 10:20:30"
    details = exif.get_ifd(0x8769)
    details[0x9003], details[0xA434] = "2024:05:17 10:20:30", "EX 35mm F2"
    details[0x829A], details[0x829D], details[0x8827] = (1, 125), (28, 10), 200
    return exif


# Where `edited` changes the photograph: left, top, right, bottom in pixels.
EDITED_BOX = (380, 60, 560, 180)


def edited(rgb: Rgb) -> Rgb:
    """The rocket photograph with a computed cloud of light laid over the sky: a local edit of our own."""
    picture = Image.fromarray(rgb)
    left, top, right, bottom = EDITED_BOX
    size = (right - left, bottom - top)
    wave = np.asarray(Image.fromarray(interference()).convert("L").resize(size, Image.Resampling.LANCZOS)) / 255
    cloud = np.array([0.98, 0.86, 0.70]) * wave[..., None] + np.array([0.35, 0.38, 0.52]) * (1 - wave[..., None])
    picture.paste(Image.fromarray(_bytes(cloud)), (left, top))
    mask = Image.new("L", picture.size, 0)
    ImageDraw.Draw(mask).ellipse((left + 6, top + 6, right - 6, bottom - 6), fill=255)
    return np.asarray(Image.composite(picture, Image.fromarray(rgb), mask.filter(ImageFilter.GaussianBlur(3))))


def photographs() -> dict[str, Rgb]:
    """The photographs by name, from the scikit-image package."""
    from skimage import data

    names = ("chelsea", "gravel", "rocket", "astronaut")
    return {n: np.asarray(Image.fromarray(getattr(data, n)()).convert("RGB")) for n in names}


def files() -> dict[str, bytes]:
    """Every demo picture by file name."""
    photo = photographs()
    cat = jpeg(photo["chelsea"])
    return {
        "01-plain-photo-cat.jpg": cat,
        "02-plain-photo-rocket.jpg": jpeg(photo["rocket"]),
        "03-plain-photo-portrait.jpg": jpeg(photo["astronaut"]),
        "04-photo-with-camera-details.jpg": jpeg(photo["gravel"], exif=camera_exif()),
        "05-with-web-ui-settings.png": png(hills(), {"parameters": A1111}),
        "06-with-comfyui-workflow.png": png(interference(), comfyui()),
        "07-signed-as-made-by-ai.jpg": signed(jpeg(mosaic()), "trainedAlgorithmicMedia"),
        "08-with-invisible-watermark.png": png(watermark(julia())),
        "09-labelled-as-edited-with-ai.jpg": jpeg(
            photo["rocket"][:, ::-1], xmp=xmp("compositeWithTrainedAlgorithmicMedia")
        ),
        "10-photo-source.jpg": jpeg(photo["rocket"]),
        "11-photo-edited.jpg": jpeg(edited(photo["rocket"])),
        "12-photo.heic": other(photo["chelsea"][:, ::-1], "HEIF", 70),
        "13-photo.avif": other(photo["gravel"][:, ::-1], "AVIF", 70),
        "14-cut-short.jpg": cat[: len(cat) * 3 // 5],
    }


def main() -> int:
    """Writes every picture; prints names and sizes."""
    HERE.mkdir(exist_ok=True)
    made = files()
    for old in HERE.iterdir():
        if old.name != REQUEST:
            old.unlink()
    for name, content in made.items():
        (HERE / name).write_bytes(content)
        print(f"{len(content):8d}  {name}")
    print(f"{sum(map(len, made.values())):8d}  in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
