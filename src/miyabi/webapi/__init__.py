"""miyabi-web-api: the HTTP service. `python3 -m miyabi.webapi` listens on $HOST:$PORT.

An ASGI application and the server that runs it. It speaks HTTP and logs to standard output. It imports
neither boto3 nor the local cloud, so that a task starts in a fraction of a second.
"""
