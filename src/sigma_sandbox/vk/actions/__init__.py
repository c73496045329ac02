"""sigma_sandbox.vk.actions"""
