// Package sandbox locks the calling process in: after Lock it can use what it has open and one folder, and nothing else.
// It is meant for a worker that is about to read bytes of a hostile target.
//
// Five layers, each of which would do some of the work alone:
//
//   - resource limits: no core dumps, few descriptors, a bound on address space;
//   - no capabilities, on any thread, for workers of a root process;
//   - Landlock: no file outside the folder, no TCP connection or listener, no signal and no abstract socket outside;
//   - not dumpable: other processes of the same user cannot look into its memory;
//   - seccomp: an allow-list of system calls. No exec, no socket, no connect, no ptrace, no mount, no executable memory.
//
// All of it holds for every thread, also those made later, and there is no way back.
//
// INVARIANT: nothing may be opened after Lock but files in the folder. Whatever a library reads once (certificate
// authorities, the time zone, the list of network interfaces) must have been read before.
package sandbox

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Mode says what to do where the kernel cannot do all of it.
type Mode string

// The modes.
const (
	Off        Mode = "off"
	BestEffort Mode = "best_effort" // what the kernel offers
	Required   Mode = "required"    // all of it or an error
)

// ErrUnavailable is wrapped by Lock in mode Required when a layer is missing.
var ErrUnavailable = errors.New("sandbox: not available")

// ParseMode returns the mode of that name.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case Off, BestEffort, Required:
		return m, nil
	}
	return "", fmt.Errorf("sandbox: mode %q is none of %q, %q, %q", s, Off, BestEffort, Required)
}

// Report is what Lock has achieved.
type Report struct {
	// Landlock is the version of the rules in force, zero for none.
	Landlock int
	// Seccomp is set when the filter of system calls is in force.
	Seccomp bool
	// Capabilities is set when every thread has given all of them up.
	Capabilities bool
	// Missing are the layers that are not in force, and why.
	Missing []error
}

// Level sums the report up: full, partial or off.
func (r Report) Level() string {
	switch {
	case r.Seccomp && r.Landlock >= minLandlock && len(r.Missing) == 0:
		return "full"
	case r.Seccomp || r.Landlock > 0:
		return "partial"
	}
	return "off"
}

func (r *Report) missing(layer string, err error) {
	if err != nil {
		r.Missing = append(r.Missing, fmt.Errorf("%s: %w", layer, err))
	}
}

// Limits of resources.
const (
	// maxDescriptors: three sockets, a few files of the spool, and one connection for each viewer on ICE-TCP.
	maxDescriptors = 256
	// maxAddressSpace in bytes. The Go runtime and the C library reserve far more than they use.
	maxAddressSpace = 16 << 30
)

// Lock locks the process in. folder is the one it may go on using, read and write. In mode Off it does nothing. It
// returns an error wrapping ErrUnavailable when mode is Required and a layer is missing; the process is then locked in
// partly and should end.
func Lock(mode Mode, folder string) (Report, error) {
	var r Report
	if mode == Off {
		return r, nil
	}
	// The local time zone is read when it is first asked for.
	_ = time.Now().Local().String()

	r.missing("resource limits", limitResources())
	err := dropCapabilities()
	r.missing("capabilities", err)
	r.Capabilities = err == nil
	r.Landlock, err = restrictFiles(folder)
	r.missing("landlock", err)
	r.missing("dumpable", os.NewSyscallError("prctl", unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)))
	err = filterCalls()
	r.missing("seccomp", err)
	r.Seccomp = err == nil
	return r, r.required(mode)
}

// required is the error of a mode that wants all layers.
func (r *Report) required(mode Mode) error {
	if mode == Required && len(r.Missing) > 0 {
		return fmt.Errorf("%w: %w", ErrUnavailable, errors.Join(r.Missing...))
	}
	return nil
}

func limitResources() error {
	var errs []error
	for _, l := range []struct {
		what int
		most uint64
	}{
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_NOFILE, maxDescriptors},
		{unix.RLIMIT_AS, maxAddressSpace},
		{unix.RLIMIT_MEMLOCK, 0},
		{unix.RLIMIT_MSGQUEUE, 0},
	} {
		errs = append(errs, limit(l.what, l.most))
	}
	return errors.Join(errs...)
}

// limit bounds a resource for good.
func limit(what int, most uint64) error {
	var now unix.Rlimit
	if err := unix.Getrlimit(what, &now); err != nil {
		return os.NewSyscallError("getrlimit", err)
	}
	most = min(most, now.Max)
	return os.NewSyscallError("setrlimit", unix.Setrlimit(what, &unix.Rlimit{Cur: most, Max: most}))
}
