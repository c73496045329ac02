"""sigma.domain.catalogue"""
