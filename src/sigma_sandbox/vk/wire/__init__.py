"""sigma_sandbox.vk.wire"""
