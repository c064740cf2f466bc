"""casemate: run Pods behind the boundary they ask for."""

__version__ = "0.1.0"
