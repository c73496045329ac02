"""sigma.web.cabinet.services"""
