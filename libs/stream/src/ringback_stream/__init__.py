"""The Kafka runtime: consuming with commits, publishing, the state that processes share, and a process around them.

`flows` is how a service describes what it consumes; `consume` runs it, `aside` moves away what cannot be finished soon,
`publish` writes, `shared` is what all processes read, `process` starts and watches. Begin reading at
`process.runtime`, then `consume.consumer`, `consume.keyed_runner`, `consume.offsets`.
"""
