"""The team of a shop, invitations, switching between shops, shops of the installation."""
