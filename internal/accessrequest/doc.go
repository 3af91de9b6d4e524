// Package accessrequest lets people ask for access they do not have, others decide on it, and keeps what follows: grants.
//
// A request is for one account of one target and a window of time, with a reason and perhaps a ticket.
//
//	pending ──▶ approved        enough different people said yes; a grant follows
//	        ──▶ denied          one person said no
//	        ──▶ cancelled       the requester took it back
//	        ──▶ expired         its time passed undecided
//	needs_review ──▶ reviewed   break-glass: the grant came first, somebody else looks at it afterwards
//
// Nobody decides on a request of their own, and nobody counts twice. Each change names the revision it was made on, so a
// decision never lands on something its maker has not seen. machine.go is all of this as functions without I/O.
//
// A grant is an invitation: within its window its person may start a session, once or as often as they like, one at a time.
//
//	active ──▶ used_up          started as often as it may be; what runs goes on until the window ends
//	active, used_up ──▶ ended   before its time, by its person, an approver or an administrator
//	                ──▶ expired its window is over
//
// What is true does not wait for the sweep that writes it down: every question is answered by the clock and the row
// together, so a grant whose window is over opens nothing, whether or not it is marked expired.
package accessrequest
