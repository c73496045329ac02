"""sigma.services.communities"""
