"""Rules for shops, sellers' requisites, users, roles and permissions."""
