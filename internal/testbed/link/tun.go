package link

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// openTUN makes a TUN device in the namespace of the calling thread; a %d in pattern becomes a number that is free. The device
// carries bare IP packets and is gone when the file is closed.
func openTUN(pattern string) (f *os.File, name string, err error) {
	const path = "/dev/net/tun"
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, "", &os.PathError{Op: "open", Path: path, Err: err}
	}
	req, err := unix.NewIfreq(pattern)
	if err == nil {
		req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
	}
	if err != nil {
		unix.Close(fd)
		return nil, "", fmt.Errorf("link: make a TUN device: %w", err)
	}
	return os.NewFile(uintptr(fd), path), req.Name(), nil
}

func interfaceIndex(name string) (int, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return 0, fmt.Errorf("link: %w", err)
	}
	return i.Index, nil
}

// addresses returns those of both ends of a link. They lie in 198.18.0.0/15, which is set aside for tests of networks ([RFC 2544]),
// and are those of the device of this index in the test's namespace, so that tests at the same time do not meet.
func addresses(index int) (host, client netip.Addr) {
	n := 4 * (index % (1 << 15)) // one network of four addresses each
	at := func(i int) netip.Addr {
		return netip.AddrFrom4([4]byte{198, byte(18 + (n+i)>>16), byte((n + i) >> 8), byte(n + i)})
	}
	return at(1), at(2)
}

// configure gives a device in the namespace of the calling thread its address and brings it up. With alone, it is the way
// to everywhere, and the loopback interface comes up too.
func configure(device string, own, peer netip.Addr, alone bool) error {
	commands := []string{
		fmt.Sprintf("address add %v peer %v dev %s", own, peer, device),
		// The queue of packets not yet read is not to lose any.
		fmt.Sprintf("link set dev %s mtu %d txqueuelen 10000 up", device, DeviceMTU),
	}
	if alone {
		commands = append(commands, "link set dev lo up", fmt.Sprintf("route add default dev %s", device))
	}
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("link: ip: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}
