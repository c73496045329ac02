"""sigma.web.cabinet.inbox"""
