"""The cabinet: pages for members of a shop. A handler parses the form, calls one service function
and renders a page or redirects.
"""
