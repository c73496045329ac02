"""sigma.web.cabinet.vk"""
