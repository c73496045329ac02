"""Why a notification was not delivered to one address, the same for every way."""


class DeliveryError(Exception):
    """A message was not accepted.

    `reply` is shown to the member: the answer of the service, without addresses and secrets.
    `is_gone`: the address will never work again and is to be forgotten. `is_permanent`: another
    attempt would fail in the same way. `retry_after_s`: what the service asks for, 0 without.
    `is_response`: the service has answered, so it is not its server that fails.
    """

    def __init__(
        self,
        reply: str,
        *,
        is_gone: bool = False,
        is_permanent: bool = False,
        retry_after_s: float = 0,
        is_response: bool = True,
    ) -> None:
        super().__init__(reply)
        self.reply = reply
        self.is_gone = is_gone
        self.is_permanent = is_permanent or is_gone
        self.retry_after_s = retry_after_s
        self.is_response = is_response


NO_RESPONSE = "no_connection"  # one word for every reason, so that no port can be scanned


def parse_retry_after_s(header: str) -> float:
    """Return the seconds of a Retry-After header, at most an hour; 0 for a date or nothing."""
    return float(min(int(header), 3600)) if header.isascii() and header.isdigit() else 0.0
