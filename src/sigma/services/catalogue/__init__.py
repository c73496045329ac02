"""sigma.services.catalogue"""
