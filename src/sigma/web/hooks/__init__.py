"""The acquirers' door: what they tell us is stored and answered at once, and looked into later."""
