// Package session is one session inside its worker: the state machine that joins a target, the encode loop, the
// recorder and the front doors, and the Arbiter through which every act of a person passes.
//
//	            Connected          Freeze, recorder fails
//	connecting ───────────▶ active ◀────────────────────▶ frozen
//	    │                     │      Resume                 │
//	    └─────────────────────┴──────────▶ ended ◀──────────┘   target, Terminate, nobody watching, grace over
//
// # Goroutines
//
// Run owns all of them. One, the loop, owns the state: whatever happens becomes a short task in it, so that checks and
// changes never race. Nothing in the loop waits for the target, the disk or a viewer: input goes to the target through
// a bounded queue with a goroutine of its own, and the recorder only takes notes in memory.
//
// # Invariants
//
// INVARIANT: an act is recorded before it is sent. What cannot be recorded is not sent, and the session freezes and ends.
//
// INVARIANT: a key or a button that was let through is never lost on its way: while the target takes nothing the caller
// waits, and when that lasts the session ends. Only motion is given up.
//
// INVARIANT: whatever is held down on the target is released when its holder loses control or the session freezes.
package session
