"""Every assumption about the HTTP API: paths, field names, accepted variants.

``calls`` makes the requests, ``answers`` and ``events`` decode what comes back, ``refusals`` turns what
the service refuses into the error it is. Nothing else in the client spells a field name of the API.
"""
