"""sigma.web.cabinet.access"""
