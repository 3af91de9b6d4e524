package sandbox

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/landlock-lsm/go-landlock/landlock"
	"github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/psx"
)

const (
	// minLandlock is the first version that guards every way to change a file (Linux 6.2).
	minLandlock = 3
	// maxLandlock is the version asked for. Later ones also restrict UDP, which the media socket needs.
	maxLandlock = 6
)

// restrictFiles leaves the process one folder, and takes TCP and the outside's signals and abstract sockets away where
// the kernel can. It returns the version of the rules in force.
func restrictFiles(folder string) (int, error) {
	version, err := syscall.LandlockGetABIVersion()
	if err != nil || version < 1 {
		return 0, errNoLandlock
	}
	if err := landlock.V6.BestEffort().Restrict(landlock.RWDirs(folder)); err != nil {
		return 0, err
	}
	return checkVersion(version)
}

var errNoLandlock = errors.New("the kernel does not offer it")

// checkVersion returns the version of the rules in force, of what the kernel has.
func checkVersion(version int) (int, error) {
	version = min(version, maxLandlock)
	if version < minLandlock {
		return version, fmt.Errorf("version %d of the kernel is older than %d", version, minLandlock)
	}
	return version, nil
}

// dropCapabilities gives up every capability on every thread.
func dropCapabilities() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	_, _, errno := psx.Syscall3(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none[0])), 0)
	if errno != 0 {
		return fmt.Errorf("capset: %w", errno)
	}
	return nil
}
