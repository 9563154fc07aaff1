"""Connections on an asyncio loop, for services whose methods all run there."""
