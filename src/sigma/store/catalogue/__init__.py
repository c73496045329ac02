"""sigma.store.catalogue"""
