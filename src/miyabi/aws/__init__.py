"""AWS's API: sessions and clients, waiting, and what its errors mean.

Everything that operates a service goes through here; the only packages that import boto3 are this one and the
one that answers the API. All of it does I/O, over the network only. botocore takes a fifth of a second to load,
so it is loaded when the first client is made, never when a module of this package is.
"""
