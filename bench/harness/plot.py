"""Draws latency over arrival rate as an SVG, without a library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, LEFT, BOTTOM = 720, 400, 60, 50
COLORS = ("#0b57d0", "#b3261e", "#146c2e", "#7d5700", "#6750a4", "#5f6368")
Point = tuple[float, float]


def draw_svg(lines: Mapping[str, Sequence[Point]], *, x: str, y: str, max_y: float) -> str:
    """Draws labeled lines through points. Values above `most` are cut off."""
    right = max(point[0] for points in lines.values() for point in points)

    def place(point: Point) -> str:
        across = LEFT + point[0] / right * (WIDTH - LEFT - 190)
        height = min(point[1], max_y) / max_y * (HEIGHT - BOTTOM - 20)
        return f"{across:.0f},{HEIGHT - BOTTOM - height:.0f}"

    parts = [_draw_axes(right, max_y, x, y)]
    for number, (name, points) in enumerate(lines.items()):
        colour = COLORS[number % len(COLORS)]
        path = " ".join(place(point) for point in points)
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{path}"/>')
        for point in points:
            across, height = place(point).split(",")
            parts.append(f'<circle cx="{across}" cy="{height}" r="3" fill="{colour}"/>')
        parts.append(_draw_text(WIDTH - 180, 30 + 20 * number, name, colour))
    content = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="sans-serif" font-size="13">\n<title>{escape(y)} over {escape(x)}</title>\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n{content}\n</svg>\n'
    )


def _draw_axes(right: float, max_y: float, x: str, y: str) -> str:
    low = HEIGHT - BOTTOM
    lines = f"M{LEFT},20 V{low} H{WIDTH - 190}"
    parts = [f'<path fill="none" stroke="#3c4043" d="{lines}"/>']
    for share in (0.25, 0.5, 0.75, 1):
        parts.append(_draw_text(8, low - share * (low - 20) + 4, f"{max_y * share:.0f}"))
        parts.append(
            _draw_text(LEFT + share * (WIDTH - LEFT - 190) - 10, low + 18, f"{right * share:.0f}")
        )
    parts.append(_draw_text(LEFT + 120, HEIGHT - 10, x))
    parts.append(_draw_text(8, 14, y))
    return "\n".join(parts)


def _draw_text(across: float, down: float, text: str, colour: str = "#3c4043") -> str:
    return f'<text x="{across:.0f}" y="{down:.0f}" fill="{colour}">{escape(text)}</text>'
