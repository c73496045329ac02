"""What every request passes before it is routed: headers, log, metrics, time limits."""
