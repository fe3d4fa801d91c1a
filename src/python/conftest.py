"""The fixtures every test may ask for."""

from backing.fixtures import (
    aws_nowhere,
    backing_directory,
    broker,
    broker_server,
    cache_server,
    cache_url,
    database_url,
    databases,
    mailbox,
    mailbox_server,
    postgres,
    stripe_server,
)
