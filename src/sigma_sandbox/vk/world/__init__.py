"""sigma_sandbox.vk.world"""
