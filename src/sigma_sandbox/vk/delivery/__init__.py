"""sigma_sandbox.vk.delivery"""
