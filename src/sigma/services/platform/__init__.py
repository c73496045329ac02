"""sigma.services.platform"""
