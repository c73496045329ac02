"""sigma.web.cabinet.settings"""
