"""Places that results go to; each is one plug-in (``ports.Publisher``)."""
