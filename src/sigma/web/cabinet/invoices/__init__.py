"""sigma.web.cabinet.invoices"""
