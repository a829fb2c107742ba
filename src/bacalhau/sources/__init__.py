"""Places that inputs come from; each is one plug-in (``ports.Source``)."""
