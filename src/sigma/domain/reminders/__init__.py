"""Rules of reminders to clients. Pure: no network, no database, no clock."""
