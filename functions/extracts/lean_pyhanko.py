"""What of pyHanko signs papers, without the HTTP clients that it imports and nothing here uses.

They fetch time stamps and revocation lists. They are half of its import, and the packages that they
need are not shipped (`NEVER_IMPORTED` in local/build.py).
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

# Each with the one name that pyHanko takes from it.
_CLIENTS = {
    "pyhanko.sign.timestamps.aiohttp_client": "HTTPTimeStamper",
    "pyhanko_certvalidator.fetchers.aiohttp_fetchers": "AIOHttpFetcherBackend",
}


@contextmanager
def _without_clients() -> Iterator[None]:
    absent = [name for name in _CLIENTS if name not in sys.modules]
    for name in absent:
        stand_in = ModuleType(name)
        setattr(stand_in, _CLIENTS[name], None)
        sys.modules[name] = stand_in
    yield
    for name in absent:
        del sys.modules[name]


with _without_clients():
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign import attributes, fields, signers
    from pyhanko_certvalidator.registry import SimpleCertificateStore

__all__ = [
    "IncrementalPdfFileWriter",
    "SimpleCertificateStore",
    "attributes",
    "fields",
    "signers",
]
