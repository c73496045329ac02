"""sigma.store.messaging"""
