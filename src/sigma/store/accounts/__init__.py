"""sigma.store.accounts"""
