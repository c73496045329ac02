"""Who asks over HTTP: four doors (cabinet, checkout, API, hooks) to the same services."""
