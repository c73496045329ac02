"""sigma.domain.billing"""
