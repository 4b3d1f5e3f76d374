"""Turns a Shot into bytes with a browser. Knows nothing of HTTP routes, keys or SQLite."""

from ..process.health_cache import Health
from .queue import Clocks
from .renderer import Equipment, Renderer, Still, equipment, running
from .shot import Rendering, Shot

__all__ = ["Clocks", "Equipment", "Health", "Renderer", "Rendering", "Shot", "Still", "equipment", "running"]
