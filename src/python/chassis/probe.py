"""Whether the service in this container is well: for a HEALTHCHECK where there is no shell and no curl.

Imports nothing of ours and little of Python: it is started anew each time.
"""

from __future__ import annotations

import http.client
import os
import sys

_TIMEOUT_S = 5


def main() -> int:
    """0 if the service at PORT of this host answers 200 to /health, else 1."""
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["PORT"]), timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/health")
        status = connection.getresponse().status
    except OSError as error:
        sys.stderr.write(f"no answer: {error}\n")
        return 1
    sys.stderr.write(f"{status}\n")
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
