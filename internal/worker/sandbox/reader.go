package sandbox

import (
	"errors"
	"os"
	"runtime"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/landlock-lsm/go-landlock/landlock"
	"github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// programs are the folders of the system's programs and libraries, and what the loader and OpenMP look at.
var (
	programs    = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt", "/sys/devices/system/cpu"}
	loaderFiles = []string{"/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/localtime", "/proc/cpuinfo"}
	nullDevice  = "/dev/null"
)

// LockReader locks in a process that runs programs of the system on what somebody else has made, and those it starts: they read and run
// what is in the system's folders and in data, files or folders; they write no file, reach no network and no process outside. It is Lock
// with these differences, and reports and fails as Lock does.
func LockReader(mode Mode, data ...string) (Report, error) {
	var r Report
	if mode == Off {
		return r, nil
	}
	r.missing("resource limits", errors.Join(limitResources(), limit(unix.RLIMIT_FSIZE, 0)))
	err := dropCapabilities()
	r.missing("capabilities", err)
	r.Capabilities = err == nil
	r.Landlock, err = restrictReading(data)
	r.missing("landlock", err)
	r.missing("dumpable", os.NewSyscallError("prctl", unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)))
	err = filterReader()
	r.missing("seccomp", err)
	r.Seccomp = err == nil
	return r, r.required(mode)
}

// restrictReading leaves the process the system's folders and data, to read and to run.
func restrictReading(data []string) (int, error) {
	version, err := syscall.LandlockGetABIVersion()
	if err != nil || version < 1 {
		return 0, errNoLandlock
	}
	rules := []landlock.Rule{
		landlock.RODirs(programs...).IgnoreIfMissing(), landlock.ROFiles(loaderFiles...).IgnoreIfMissing(), landlock.RWFiles(nullDevice).IgnoreIfMissing(),
	}
	for _, path := range data {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			rules = append(rules, landlock.RODirs(path))
		} else if err == nil {
			rules = append(rules, landlock.ROFiles(path))
		}
	}
	if err := landlock.V6.BestEffort().Restrict(rules...); err != nil {
		return 0, err
	}
	return checkVersion(version)
}

// readerCalls are what starting programs takes besides what workers may do.
var readerCalls = []string{
	"execve", "execveat", "fork", "vfork", "wait4", "waitid", "pidfd_open", "pidfd_send_signal", "kill", "tgkill", "tkill", "pipe", "pipe2",
	"dup", "dup2", "dup3", "getppid", "getpriority", "getpgid", "getpgrp", "setpgid", "chdir", "fchdir", "getcwd", "umask", "close_range",
	"open", "access", "stat", "lstat", "readlink", "fadvise64", "statfs", "arch_prctl", "mmap", "mprotect", "prlimit64", "setrlimit", "rt_sigsuspend",
}

// filterReader is filterCalls for LockReader.
func filterReader() error {
	names, err := callsHere(append(append([]string(nil), allowed...), readerCalls...))
	if err != nil {
		return err
	}
	policy := seccomp.Policy{
		DefaultAction: seccomp.ActionErrno,
		Syscalls: []seccomp.SyscallGroup{
			{Action: seccomp.ActionAllow, Names: names, NamesWithCondtions: []seccomp.NameWithConditions{
				{Name: "clone", Conditions: seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.BitsNotSet, Value: namespaces}}},
				{Name: "prctl", Conditions: option(unix.PR_SET_NAME)},
				{Name: "prctl", Conditions: option(unix.PR_SET_VMA)},
				{Name: "prctl", Conditions: option(unix.PR_SET_PDEATHSIG)},
			}},
			{Action: noSuchCall, Names: []string{"clone3"}}, // its flags lie in memory
		},
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: policy})
}
