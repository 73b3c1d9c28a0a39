"""Samples as pictures inside the page: PNG in data URIs, enlarged without smoothing."""

import base64
import io
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from PIL import Image

SIDE = 84  # pixels on the page; smaller images are enlarged by a whole factor


def picture(image: Any, *, alt: str, wide: int = SIDE) -> Markup:
    """Return an <img> of one image (H, W, C), uint8, or float in [0, 1].

    Args:
        image: its pixels.
        alt: what it shows, for those who cannot see it.
        wide: width on the page, in pixels.
    """
    pixels = (
        image if image.dtype == np.uint8 else np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)
    )
    pixels = pixels[..., 0] if pixels.shape[-1] == 1 else pixels[..., :3]
    drawn = Image.fromarray(pixels)
    if max(drawn.size) > wide:
        drawn.thumbnail((2 * wide, 2 * wide))
    else:
        factor = max(1, wide // max(drawn.size))
        drawn = drawn.resize(
            (drawn.width * factor, drawn.height * factor), Image.Resampling.NEAREST
        )
    buffer = io.BytesIO()
    drawn.save(buffer, "PNG", optimize=True)
    content = base64.b64encode(buffer.getvalue()).decode()
    return Markup(f'<img src="data:image/png;base64,{content}" width="{wide}" alt="{escape(alt)}">')


def difference(clean: Any, changed: Any) -> Any:
    """Return the difference of two images as an image: gray where equal, stretched to [0, 1]."""
    change = changed.astype(np.float64) - clean
    largest = max(float(np.abs(change).max()), 1e-9)
    return (0.5 + 0.5 * change / largest).astype(np.float32)
