"""The outside world in a box: a bank, a mailbox, their misbehaviour. Imports nothing of Sigma."""
