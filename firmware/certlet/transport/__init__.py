"""Transports: `exchange(request) -> reply` over one medium each; they know nothing of CMP or SCEP."""
