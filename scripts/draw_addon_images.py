"""Draws addon/icon.png and addon/logo.png: a wave in a speech bubble. Needs Pillow (pip install pillow)."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

ADDON = Path(__file__).resolve().parent.parent / "addon"
SMOOTH = 8
"""Drawn so many times larger, then reduced: that makes the edges smooth."""
TOP, BOTTOM = (24, 188, 242), (0, 104, 201)  # Home Assistant's blue, and a deeper one
BARS = (0.20, 0.46, 0.78, 0.54, 0.30)
"""Heights of the wave's bars, of the bubble's."""


def mark(size: int) -> Image.Image:
    """Draw the mark as a square of so many pixels, transparent around it."""
    full = size * SMOOTH
    shape = Image.new("L", (full, full), 0)
    pen = ImageDraw.Draw(shape)
    edge, low = 0.05 * full, 0.82 * full
    pen.rounded_rectangle((edge, edge, full - edge, low), radius=0.24 * full, fill=255)
    pen.polygon([(0.24 * full, 0.72 * full), (0.24 * full, 0.97 * full), (0.50 * full, 0.78 * full)], fill=255)
    width, middle = 0.075 * full, (edge + low) / 2
    for number, height in enumerate(BARS):
        x = full / 2 + (number - (len(BARS) - 1) / 2) * 0.135 * full
        half = height * (low - edge) / 2
        pen.rounded_rectangle((x - width / 2, middle - half, x + width / 2, middle + half), radius=width / 2, fill=0)
    colours = Image.new("RGB", (1, full))
    for y in range(full):
        share = y / (full - 1)
        colours.putpixel((0, y), tuple(round(a + (b - a) * share) for a, b in zip(TOP, BOTTOM, strict=True)))
    image = colours.resize((full, full)).convert("RGBA")
    image.putalpha(shape)
    return image.resize((size, size), Image.Resampling.LANCZOS)


def logo(width: int, height: int) -> Image.Image:
    """Draw the mark and the name beside it."""
    image = Image.new("RGBA", (width * SMOOTH, height * SMOOTH), (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    font = ImageFont.truetype("DejaVuSans-Bold.ttf", round(0.30 * height * SMOOTH))
    left = 0.98 * height * SMOOTH
    for line, word in enumerate(("wyoming", "voice")):
        pen.text((left, (0.16 + 0.33 * line) * height * SMOOTH), word, font=font, fill=(*BOTTOM, 255))
    image = image.resize((width, height), Image.Resampling.LANCZOS)
    image.alpha_composite(mark(round(0.86 * height)), (round(0.04 * height), round(0.07 * height)))
    return image


if __name__ == "__main__":
    mark(128).save(ADDON / "icon.png", optimize=True)
    logo(250, 100).save(ADDON / "logo.png", optimize=True)
