"""Which services there are: the one list of them.

BUILD files read it, too (`build_file_prelude_globs` in pants.toml), so that it imports nothing. The order is
that of deployment. What a service ships must not import it: a new one would be a release of all.
"""

SERVICES = ("user", "product", "order", "payment", "notification")
