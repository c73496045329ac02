"""sigma_sandbox.vk.test_api"""
