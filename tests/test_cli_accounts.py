"""`sigma shop|user|key`: shops, people and API keys from the command line."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.test_cli import error_line, shop, sigma

__all__ = ["shop"]  # the fixture: a database with a shop and its owner


def run_json(*args: str, **env: str) -> Any:
    """Run a command with --json and return its value."""
    result = sigma(*args, "--json", **env)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_created_shop_is_listed_and_its_owner_is_invited(shop: dict[str, str]) -> None:
    created = run_json("shop", "create", "--name", "Ромашка", "--owner", "New@Example.org", **shop)
    assert created["owner"] == "new@example.org"
    assert re.search(r"/invitations/[0-9a-f]{40}$", created["invitation_url"])
    listed = run_json("shop", "list", **shop)
    assert listed[0]["name"] == "Ромашка"
    assert len(listed) == 2
    found = run_json("shop", "list", "--query", "РОМАШ", **shop)
    assert [one["id"] for one in found] == [created["id"]]
    assert error_line(sigma("shop", "create", "--name", " ", "--owner", "x", **shop))


def test_account_becomes_the_owner_of_a_new_shop_at_once(shop: dict[str, str]) -> None:
    (owner,) = run_json("user", "list", **shop)
    created = run_json("shop", "create", "--name", "Два", "--owner", owner["email"], **shop)
    assert created["invitation_url"] is None
    (owner,) = run_json("user", "list", **shop)
    assert {one["shop_id"]: one["role"] for one in owner["shops"]}[created["id"]] == "owner"
    assert owner["administrator"] is True


def test_user_is_added_by_invitation_or_at_once(shop: dict[str, str]) -> None:
    second = run_json("shop", "create", "--name", "Два", "--owner", "b@example.org", **shop)
    (owner,) = run_json("user", "list", **shop)
    added = run_json(
        *("user", "add", owner["email"], "--shop", second["id"], "--role", "accountant"), **shop
    )
    assert (added["status"], added["invitation_url"]) == ("added", None)
    invited = run_json("user", "add", "c@example.org", "--role", "viewer", **shop)
    assert invited["status"] == "invited"
    assert invited["invitation_url"]
    assert [p["email"] for p in run_json("user", "list", "--shop", second["id"], **shop)] == [
        owner["email"]
    ]
    again = ("user", "add", owner["email"], "--shop", second["id"], "--role", "viewer")
    assert "already" in error_line(sigma(*again, **shop))


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (["d@example.org"], "--role"),
        (["nobody", "--role", "viewer"], "login"),
        (["d@example.org", "--role", "viewer", "--shop", "shp_none"], "shp_none"),
        (["d@example.org", "--administrator"], "account"),
    ],
)
def test_wrong_user_gives_one_error_line(shop: dict[str, str], args: list[str], error: str) -> None:
    assert error in error_line(sigma("user", "add", *args, **shop))


def test_administrator_is_made_and_removed(shop: dict[str, str]) -> None:
    (owner,) = run_json("user", "list", **shop)
    remove = ("user", "remove-administrator", owner["email"].upper())
    assert sigma(*remove, **shop).exit_code == 0
    (person,) = run_json("user", "list", **shop)
    assert (person["administrator"], person["shops"]) == (False, owner["shops"])
    assert "administrator" in error_line(sigma(*remove, **shop))
    assert sigma("user", "add", owner["email"], "--administrator", **shop).exit_code == 0
    (person,) = run_json("user", "list", **shop)
    assert person["administrator"] is True


def test_key_has_the_scopes_and_limits_it_was_created_with(shop: dict[str, str]) -> None:
    created = run_json(
        *("key", "create", "--name", "Касса", "--scope", "invoices:write"),
        *("--scope", "payments:read", "--days", "30", "--address", "10.0.0.0/8"),
        **shop,
    )
    assert created["key"].startswith("sk_")
    assert created["scopes"] == ["invoices:write", "payments:read"]
    assert created["addresses"] == ["10.0.0.0/8"]
    assert created["expires_at"]
    (listed,) = run_json("key", "list", **shop)
    assert "key" not in listed
    assert listed["created_by"] == "cli"
    assert sigma("key", "revoke", created["id"], **shop).exit_code == 0
    (listed,) = run_json("key", "list", **shop)
    assert listed["revoked_at"]
    assert error_line(sigma("key", "revoke", created["id"], **shop))


def test_key_without_scopes_gets_all_of_them(shop: dict[str, str]) -> None:
    created = run_json("key", "create", **shop)
    assert len(created["scopes"]) == 7
    assert created["expires_at"] is None


@pytest.mark.parametrize("args", [["--address", "10.0.0.1/8"], ["--scope", "everything"]])
def test_wrong_key_is_refused(shop: dict[str, str], args: list[str]) -> None:
    assert sigma("key", "create", *args, **shop).exit_code == 2


def test_key_of_another_shop_is_revoked_by_its_id(shop: dict[str, str], tmp_path: Path) -> None:
    second = run_json("shop", "create", "--name", "Два", "--owner", "b@example.org", **shop)
    created = run_json("key", "create", "--shop", second["id"], **shop)
    assert sigma("key", "revoke", created["id"], **shop).exit_code == 0
    (listed,) = run_json("key", "list", "--shop", second["id"], **shop)
    assert listed["revoked_at"]
