"""What can be done: one function per wish. Reads, asks outside, writes; never talks to the network
inside a transaction.
"""
