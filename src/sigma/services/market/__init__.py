"""sigma.services.market"""
