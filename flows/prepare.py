"""Create the databases and the bucket in which the services keep their state: ``python -m flows.prepare``.

A service of docker-compose.yml that runs once, before the services that need them. Existing ones are not
changed.
"""

import argparse
import logging
import re
from urllib.parse import urlsplit, urlunsplit

from mistworks.errors import MistworksError

_NAME = re.compile(r"[a-z][a-z0-9_-]*")


def make_databases(server: str, names: list[str]) -> list[str]:
    """Create missing databases on a PostgreSQL server, each with the extension that Prefect needs.

    Args:
        server: URL of a database that exists, such as ``postgresql://mistworks@postgres:5432/postgres``; a
            password comes from ``PGPASSWORD``.
        names: names of the databases.

    Returns:
        The names of those that were created.

    Raises:
        MistworksError: a name needs quotes, or the server cannot be used.
    """
    import psycopg2

    if bad := [name for name in names if not _NAME.fullmatch(name)]:
        raise MistworksError(f"Expected lower-case names of databases, got {bad[0]!r}. Choose another name.")
    try:
        missing = [name for name in names if _make_database(server, name)]
        for name in names:
            _execute(urlunsplit(urlsplit(server)._replace(path=f"/{name}")), _EXTENSION)
    except psycopg2.Error as error:
        reason = str(error).strip().splitlines()[0]
        raise MistworksError(
            f"Expected a PostgreSQL server at {server}, got: {reason}. Start it, or correct the user "
            "and PGPASSWORD."
        ) from None
    return missing


def make_bucket(name: str) -> bool:
    """Create a bucket in the object store of the ``AWS_…`` variables, and return whether it was missing.

    Raises:
        MistworksError: the object store refuses, or does not answer.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    client = boto3.client("s3")
    try:
        if name in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
            return False
        client.create_bucket(Bucket=name)
    except (BotoCoreError, ClientError) as error:
        raise MistworksError(
            f"Expected to make the bucket {name}, got: {str(error).splitlines()[0]}. Correct "
            "the AWS_… values."
        ) from None
    return True


def main() -> None:
    """Create what the command line requests."""
    parser = argparse.ArgumentParser(prog="python -m flows.prepare", description=__doc__)
    parser.add_argument("--server", required=True, help="URL of a PostgreSQL database that exists")
    parser.add_argument("--database", action="append", default=[], help="name of a database to create")
    parser.add_argument("--bucket", action="append", default=[], help="name of a bucket to create")
    options = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    log = logging.getLogger("flows.prepare")
    log.setLevel(logging.INFO)
    try:
        created = make_databases(options.server, options.database)
        created += [bucket for bucket in options.bucket if make_bucket(bucket)]
    except MistworksError as error:
        parser.exit(1, f"error: {error}\n")
    log.info("made %s", ", ".join(created) or "nothing: all were there")


_EXTENSION = "CREATE EXTENSION IF NOT EXISTS pg_trgm"


def _make_database(server: str, name: str) -> bool:
    if _execute(server, f"SELECT 1 FROM pg_database WHERE datname = '{name}'"):
        return False
    _execute(server, f'CREATE DATABASE "{name}"')
    return True


def _execute(url: str, statement: str) -> bool:
    """Run one statement outside a transaction, and return whether it gave rows."""
    import psycopg2

    connection = psycopg2.connect(url)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return bool(cursor.rowcount > 0)
    finally:
        connection.close()


if __name__ == "__main__":
    main()


__all__ = ["main", "make_bucket", "make_databases"]
