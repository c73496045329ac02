"""The door for everybody: the public page of a shop's services, and their photos."""
