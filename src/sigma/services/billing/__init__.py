"""sigma.services.billing"""
