"""What a server's TLS is, by a handshake as any client makes it."""

import asyncio
import ssl

from sigma.outbound.guard import Outbound

TIMEOUT_S = 10.0


async def measure_tls(outbound: Outbound, host: str, port: int) -> str:
    """Return version and cipher suite that a server agrees to: "TLSv1.3 TLS_AES_256_GCM_SHA384".

    Raises OSError: it does not answer, is not allowed, or its certificate is not trusted.
    """
    context = await outbound.tls_context()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            sock = await outbound.connect(host, port, "https", is_encrypted=True)
            _, writer = await asyncio.open_connection(sock=sock, ssl=context, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        raise OSError(error.verify_message) from error
    tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
    writer.close()
    return f"{tls.version()} {(tls.cipher() or ('',))[0]}"
