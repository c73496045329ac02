"""sigma.services.checkout"""
