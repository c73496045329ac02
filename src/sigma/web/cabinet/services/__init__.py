"""The shop's services: list, form, import and export, market comparison, public page."""
