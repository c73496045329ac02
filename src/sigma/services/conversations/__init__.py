"""sigma.services.conversations"""
