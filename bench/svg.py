"""A little SVG: rectangles, lines, dots and words on a drawing that grows downwards. Colours are the page's."""

from __future__ import annotations

import xml.etree.ElementTree as ET

WIDTH = 860


class Drawing:
    """Collects shapes; `label` is what a screen reader says of the whole, `style` the CSS of one that stands alone."""

    def __init__(self, label: str, *, width: int = WIDTH, style: str = "") -> None:
        self.height = 0.0
        self._width = width
        self._root = ET.Element("svg", {"role": "img", "aria-label": label, "xmlns": "http://www.w3.org/2000/svg"})
        if style:
            ET.SubElement(self._root, "style").text = style

    def rect(
        self, x: float, y: float, width: float, height: float, style: str, *, tip: str = "", fill: str = ""
    ) -> None:
        """Draw a rectangle; `tip` is shown when the pointer rests on it, `fill` is a colour that no style has."""
        size = {"x": x, "y": y, "width": max(width, 0.5), "height": height, "rx": 2}
        shape = self._add("rect", size, style, **({"fill": fill} if fill else {}))
        if tip:
            ET.SubElement(shape, "title").text = tip
        self._reach(y + height)

    def line(self, x1: float, y1: float, x2: float, y2: float, style: str) -> None:
        """Draw a line."""
        self._add("line", {"x1": x1, "y1": y1, "x2": x2, "y2": y2}, style)
        self._reach(max(y1, y2))

    def dot(self, x: float, y: float, style: str) -> None:
        """Draw a dot."""
        self._add("circle", {"cx": x, "cy": y, "r": 2.5}, style)
        self._reach(y + 3)

    def words(self, x: float, y: float, text: str, style: str = "", *, anchor: str = "start") -> None:
        """Write words with their baseline at `y`."""
        self._add("text", {"x": x, "y": y}, style, **{"text-anchor": anchor}).text = text
        self._reach(y + 5)

    def __str__(self) -> str:
        """Return the SVG."""
        self._root.set("viewBox", f"0 0 {self._width} {self.height + 4:g}")
        return ET.tostring(self._root, encoding="unicode")

    def _add(self, shape: str, places: dict[str, float], style: str, **others: str) -> ET.Element:
        attributes = {name: f"{place:.1f}".removesuffix(".0") for name, place in places.items()}
        return ET.SubElement(self._root, shape, attributes | others | ({"class": style} if style else {}))

    def _reach(self, y: float) -> None:
        self.height = max(self.height, y)
