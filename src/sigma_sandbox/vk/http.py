"""What all HTTP handlers of VK share: the VK of the application."""

from sigma_sandbox.responses import AnyRequest
from sigma_sandbox.vk.actions.client_actions import Vk


def get_vk(request: AnyRequest) -> Vk:
    """Return the VK of the application."""
    vk = request.app.state["vk"]
    assert isinstance(vk, Vk)
    return vk
