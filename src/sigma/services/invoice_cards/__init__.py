"""sigma.services.invoice_cards"""
