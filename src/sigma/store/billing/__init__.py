"""sigma.store.billing"""
