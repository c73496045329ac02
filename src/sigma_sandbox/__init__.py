"""Local stand-ins for a bank (YooKassa), a mail server and VK, with fault injection.

The package imports nothing of `sigma`.
"""
