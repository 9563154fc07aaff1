"""Connections of HTTP: uvicorn's protocols on a service's loop, watched for clients that stall."""
