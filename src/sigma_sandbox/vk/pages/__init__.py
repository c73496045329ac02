"""sigma_sandbox.vk.pages"""
