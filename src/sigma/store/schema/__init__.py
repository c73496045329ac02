"""sigma.store.schema"""
