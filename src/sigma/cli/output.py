"""Output of the command line in the language of the terminal, and its error messages."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from sigma.domain.errors import RefusedError
from sigma.settings import SettingError, Settings, load_settings, unknown_variables
from sigma.texts import Translator

if TYPE_CHECKING:  # imports drivers and an HTTP client, which most commands do not need
    from sigma.security_profile import Departure


class CliError(Exception):
    """An expected error of a command. Its text is the line shown to the user."""


def terminal_locale(environ: Mapping[str, str] = os.environ) -> str:
    """Return "ru" for a Russian terminal (LC_ALL, LC_MESSAGES, LANG), else "en"."""
    name = environ.get("LC_ALL") or environ.get("LC_MESSAGES") or environ.get("LANG") or ""
    return "ru" if name.lower().startswith("ru") else "en"


def terminal_translator() -> Translator:
    """Return a translator in the terminal's language, with Moscow time."""
    return Translator(terminal_locale())


def t(key: str, /, **params: Any) -> str:
    """Return the text for a key in the terminal's language."""
    return terminal_translator().t(key, **params)


@contextmanager
def errors_as_messages() -> Iterator[None]:
    """Convert expected exceptions to CliError with a text for the user."""
    # Imported here: commands that need no database must start without the web application.
    from sigma.main import NotMigratedError, ProfileError
    from sigma.store.encryption import DecryptionError
    from sigma.store.engine.interface import UnreachableError

    try:
        yield
    except SettingError as error:
        problem = t(f"cli.setting_{error.code}", **error.params)
        raise CliError(t("cli.setting", name=error.name, what=problem)) from error
    except UnreachableError as error:
        raise CliError(str(error)) from error
    except ProfileError as error:
        rows = [t("cli.level2_refused"), *map(departure_text, error.departures)]
        raise CliError("\n".join(rows)) from error
    except NotMigratedError as error:
        key = "cli.not_migrated" if error.current else "cli.no_tables"
        raise CliError(t(key)) from error
    except DecryptionError as error:
        raise CliError(t("cli.value_unreadable", key=error.key_id or "?")) from error
    except RefusedError as error:
        problems = "; ".join(
            f"{p.field}: {terminal_translator().problem_text(p)}" for p in error.problems
        )
        raise CliError(problems or terminal_translator().refusal_text(error)) from error
    except OSError as error:
        raise CliError(_os_error_text(error)) from error


@contextmanager
def sandbox_required() -> Iterator[None]:
    """Run a block that imports the optional sandbox.

    Raises CliError, which says what to install, if the sandbox or a package it needs is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith(("sigma.", "sigma_sandbox.")):
            raise  # a wrong import in our own code
        raise CliError(t("cli.no_sandbox")) from error


def departure_text(departure: "Departure") -> str:
    """Return the text about a setting that is not as the security profile demands it."""
    return f"{departure.setting}: {t(f'cli.level2_{departure.code}')}"


def _os_error_text(error: OSError) -> str:
    path = error.filename or ""
    return f"{path}: {error.strerror or error}" if path else str(error.strerror or error)


def read_settings(**overrides: Any) -> Settings:
    """Load the settings; warn on stderr about unknown variables. Raises SettingError."""
    for name in unknown_variables(os.environ):
        click.echo(t("cli.unknown_setting", name=name), err=True)
    return load_settings(**overrides)
