"""sigma_sandbox.vk.api"""
