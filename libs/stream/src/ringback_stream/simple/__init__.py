"""Simple flows: FastStream polls, calls the handler and writes their AsyncAPI document; acknowledgement is our own.

A flow is simple if one record needs no other: batches in the order of each partition, one at a time, and nothing that
waits for its own time, its key or its tenant. Flows that do are run by `ringback_stream.consume.keyed_runner`, with a
loop of their own.
"""
