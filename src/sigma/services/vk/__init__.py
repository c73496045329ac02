"""sigma.services.vk"""
