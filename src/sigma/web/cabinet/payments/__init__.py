"""sigma.web.cabinet.payments"""
