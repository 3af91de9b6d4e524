// Package worker runs each session in a process of its own.
//
// Two sides of one socketpair:
//
//   - Main is the worker. It inherits a connected target, a UDP socket and a spool folder, gets credentials over the
//     control socket, puts the session together (assemble.go), locks itself in (package sandbox) and runs it.
//   - Manager is `vitrine serve`. It dials targets, starts workers, passes requests on to them, watches that they answer,
//     and notices however they end.
//
// # File descriptors
//
//	3  control: gRPC as in worker.proto; the worker is the server
//	4  target: a TCP connection, already established
//	5  media: a UDP socket, already bound
//	6  media over TCP: a listener; only when --media-tcp says so
//	7  dial: asks serve for new connections to the target (redialwire.go); only when --dial says so
//
// # How a session ends
//
// A worker that is told to end, or whose target is gone, seals its recording, says why, and exits. When serve vanishes
// the control socket ends, and the worker does the same with reason serve_gone: a session nobody supervises must not go
// on. When the worker vanishes serve learns it from the process, with reason worker_crashed; when it hangs the watchdog
// kills it, with reason worker_hung. What a dead worker leaves in the spool is for the uploader to recover, once
// Observer.SessionEnded has been called.
package worker
