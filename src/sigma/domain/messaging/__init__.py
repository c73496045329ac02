"""sigma.domain.messaging"""
