"""A certificate authority for the tests, and a server certificate for 127.0.0.1."""

from __future__ import annotations

import ssl
from pathlib import Path


def tls_server(folder: Path) -> tuple[ssl.SSLContext, str]:
    """Return a server's TLS context, and the path of the CA bundle that trusts it, written to ``folder``."""
    import trustme  # with cryptography, which few workers need

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    bundle = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    return context, str(bundle)
