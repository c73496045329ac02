"""sigma.services.accounts"""
