"""The live page over one or several studies: look, compare, steer, take a network home."""

from mbnas.dashboard.app import make_app
from mbnas.dashboard.server import serve_dashboard, served

__all__ = ["make_app", "serve_dashboard", "served"]
