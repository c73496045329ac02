"""A virtual authenticator of Chromium: passkeys without hardware.

https://chromedevtools.github.io/devtools-protocol/tot/WebAuthn/
"""

from dataclasses import dataclass

from playwright.async_api import CDPSession, Page


@dataclass(frozen=True)
class VirtualAuthenticator:
    """An authenticator in the device of one page, with a PIN that is always right."""

    cdp: CDPSession
    id: str

    async def count_passkeys(self) -> int:
        """Return how many passkeys the device has."""
        found = await self.cdp.send("WebAuthn.getCredentials", {"authenticatorId": self.id})
        return len(found["credentials"])

    async def set_user_verified(self, is_verified: bool) -> None:
        """Let the person pass or fail the PIN."""
        values = {"authenticatorId": self.id, "isUserVerified": is_verified}
        await self.cdp.send("WebAuthn.setUserVerified", values)


async def add_authenticator(page: Page) -> VirtualAuthenticator:
    """Give the device of a page an authenticator that keeps passkeys."""
    cdp = await page.context.new_cdp_session(page)
    await cdp.send("WebAuthn.enable")
    added = await cdp.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "ctap2Version": "ctap2_1",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    return VirtualAuthenticator(cdp, added["authenticatorId"])
