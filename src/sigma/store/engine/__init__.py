"""sigma.store.engine"""
