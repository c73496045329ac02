"""What the command line says, in the language of the terminal, and how trouble becomes one line."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from sigma.domain.errors import Refused
from sigma.main import NotMigrated
from sigma.settings import BadSetting, Settings, load, unknown
from sigma.store.engine.interface import Unreachable
from sigma.texts import Words


class Trouble(Exception):  # noqa: N818 - a word of ours
    """What stopped a command, as the line that a person reads."""


def locale(environ: Mapping[str, str] = os.environ) -> str:
    """ "ru" where the terminal is Russian, else "en"."""
    told = environ.get("LC_ALL") or environ.get("LC_MESSAGES") or environ.get("LANG") or ""
    return "ru" if told.lower().startswith("ru") else "en"


def words() -> Words:
    """The language of the terminal; times are told in Moscow's."""
    return Words(locale())


def t(key: str, **params: Any) -> str:
    """A sentence of the command line."""
    return words().t(key, **params)


@contextmanager
def plainly() -> Iterator[None]:
    """Turns the expected kinds of trouble into Trouble."""
    try:
        yield
    except BadSetting as bad:
        line = t(f"cli.setting_{bad.code}", **bad.params)
        raise Trouble(t("cli.setting", name=bad.name, what=line)) from bad
    except Unreachable as error:
        raise Trouble(str(error)) from error
    except NotMigrated as error:
        key = "cli.not_migrated" if error.current else "cli.no_tables"
        raise Trouble(t(key)) from error
    except Refused as refused:
        told = "; ".join(f"{p.field}: {words().problem(p)}" for p in refused.problems)
        raise Trouble(told or words().refusal(refused)) from refused
    except OSError as error:
        raise Trouble(_os_error(error)) from error


def _os_error(error: OSError) -> str:
    place = error.filename or ""
    return f"{place}: {error.strerror or error}" if place else str(error.strerror or error)


def settings(**given: Any) -> Settings:
    """The settings, with a word about variables that are none. Raises BadSetting."""
    for name in unknown(os.environ):
        click.echo(t("cli.unknown_setting", name=name), err=True)
    return load(**given)
