"""HTTP layer: the cabinet, the checkout, the storefront, the API and the webhooks."""
