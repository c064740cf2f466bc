"""Facts as data: runtimes, what they give, what breaks, what was broken. YAML rows, read by a typed loader.

`load()` gives all tables as one `Catalogue`.
"""

from casemate.catalogue.tables import Catalogue, load

__all__ = ["Catalogue", "load"]
