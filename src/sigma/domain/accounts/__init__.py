"""sigma.domain.accounts"""
