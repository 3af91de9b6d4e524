package sandbox

import (
	"fmt"
	"os"
	"runtime"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// allowed are the system calls a locked-in worker may make; everything else fails with EPERM. Those an architecture
// does not have are left out for it.
var allowed = []string{
	// Bytes in and out of what is open.
	"read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "lseek", "close", "fcntl",
	"recvfrom", "recvmsg", "recvmmsg", "sendto", "sendmsg", "sendmmsg", "shutdown", "accept4",
	"getsockopt", "setsockopt", "getsockname", "getpeername",
	// Waiting.
	"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd2", "poll", "ppoll", "select", "pselect6",
	"futex", "futex_waitv", "nanosleep", "clock_nanosleep", "sched_yield", "restart_syscall",
	// The spool folder; Landlock says which files.
	"openat", "openat2", "newfstatat", "fstat", "fstatat64", "statx", "fstatfs", "getdents64", "renameat", "renameat2",
	"unlinkat", "mkdirat", "ftruncate", "fallocate", "fsync", "fdatasync", "sync_file_range", "flock", "faccessat", "faccessat2", "readlinkat",
	// Memory that is not code; see mapping.
	"munmap", "mremap", "madvise", "brk", "mincore", "membarrier",
	// Threads; see clone.
	"exit", "exit_group", "set_robust_list", "set_tid_address", "rseq", "gettid", "getpid", "sched_getaffinity",
	"sched_setaffinity", "sched_getparam", "sched_getscheduler", "sched_setscheduler", "getcpu",
	// Signals within the process; see tgkill.
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "sigaltstack",
	// Time and facts.
	"clock_gettime", "clock_getres", "gettimeofday", "time", "getrandom", "getrusage", "uname", "sysinfo",
	"getuid", "geteuid", "getgid", "getegid", "getrlimit",
}

// namespaces are the flags of clone(2) that make new ones.
const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER |
	unix.CLONE_NEWPID | unix.CLONE_NEWNET

// noSuchCall makes a call fail with ENOSYS, for those the C library then replaces by an older one.
const noSuchCall = seccomp.Action(unix.SECCOMP_RET_ERRNO&^unix.SECCOMP_RET_DATA | uint32(unix.ENOSYS))

// filterCalls leaves every thread the allowed system calls.
func filterCalls() error {
	policy, err := callPolicy(os.Getpid())
	if err != nil {
		return err
	}
	// no_new_privs is set on this thread, and on all others with the filter.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: policy})
}

// callPolicy is the filter for the process pid.
func callPolicy(pid int) (seccomp.Policy, error) {
	names, err := callsHere(allowed)
	if err != nil {
		return seccomp.Policy{}, err
	}
	return seccomp.Policy{
		DefaultAction: seccomp.ActionErrno,
		Syscalls: []seccomp.SyscallGroup{
			{Action: seccomp.ActionAllow, Names: names, NamesWithCondtions: []seccomp.NameWithConditions{
				{Name: "mmap", Conditions: notExecutable(2)},
				{Name: "mprotect", Conditions: notExecutable(2)},
				// Threads, not processes, and in the namespaces there are.
				{Name: "clone", Conditions: seccomp.ArgumentConditions{
					{Argument: 0, Operation: seccomp.BitsSet, Value: unix.CLONE_THREAD},
					{Argument: 0, Operation: seccomp.BitsNotSet, Value: namespaces},
				}},
				{Name: "tgkill", Conditions: seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.Equal, Value: uint64(pid)}}},
				// x264 and the Go runtime give names to threads and memory.
				{Name: "prctl", Conditions: option(unix.PR_SET_NAME)},
				{Name: "prctl", Conditions: option(unix.PR_SET_VMA)},
				// To look at a limit, not to set one.
				{Name: "prlimit64", Conditions: seccomp.ArgumentConditions{
					{Argument: 0, Operation: seccomp.Equal, Value: 0}, {Argument: 2, Operation: seccomp.Equal, Value: 0},
				}},
			}},
			// Its flags lie in memory, where a filter cannot look.
			{Action: noSuchCall, Names: []string{"clone3"}},
		},
	}, nil
}

// callsHere are those of the names that this architecture has.
func callsHere(names []string) (here []string, err error) {
	info, err := arch.GetInfo("")
	if err != nil {
		return nil, fmt.Errorf("system calls: %w", err)
	}
	for _, name := range names {
		if _, ok := info.SyscallNames[name]; ok {
			here = append(here, name)
		}
	}
	return here, nil
}

// notExecutable holds for memory whose protection, an argument, is without PROT_EXEC.
func notExecutable(argument uint32) seccomp.ArgumentConditions {
	return seccomp.ArgumentConditions{{Argument: argument, Operation: seccomp.BitsNotSet, Value: unix.PROT_EXEC}}
}

func option(o uint64) seccomp.ArgumentConditions {
	return seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.Equal, Value: o}}
}
