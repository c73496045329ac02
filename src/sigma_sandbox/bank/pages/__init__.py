"""sigma_sandbox.bank.pages"""
