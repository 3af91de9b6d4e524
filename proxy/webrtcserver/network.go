package webrtcserver

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/pion/transport/v5"
)

// errNoNetwork is returned for everything that would open a socket: a worker uses what it inherited.
var errNoNetwork = errors.New("webrtc: opening sockets is not allowed")

// fixedNet is all that pion may know of the network: the addresses the inherited sockets answer on. They are
// read once, because a sandboxed worker cannot ask the kernel later.
type fixedNet struct{ iface *transport.Interface }

var _ transport.Net = fixedNet{}

// newFixedNet lists the addresses of a socket bound to local: local itself, or those of all interfaces when it
// is unspecified.
func newFixedNet(local net.IP) (fixedNet, error) {
	iface := transport.NewInterface(net.Interface{Index: 1, Name: "inherited", Flags: net.FlagUp | net.FlagRunning})
	if !local.IsUnspecified() {
		iface.AddAddress(&net.IPNet{IP: local, Mask: net.CIDRMask(8*len(local), 8*len(local))})
		return fixedNet{iface}, nil
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return fixedNet{}, fmt.Errorf("webrtc: list addresses: %w", err)
	}
	for _, addr := range addrs {
		iface.AddAddress(addr)
	}
	return fixedNet{iface}, nil
}

func (n fixedNet) Interfaces() ([]*transport.Interface, error) {
	return []*transport.Interface{n.iface}, nil
}

func (n fixedNet) InterfaceByIndex(index int) (*transport.Interface, error) {
	if index != n.iface.Index {
		return nil, transport.ErrInterfaceNotFound
	}
	return n.iface, nil
}

func (n fixedNet) InterfaceByName(name string) (*transport.Interface, error) {
	if name != n.iface.Name {
		return nil, transport.ErrInterfaceNotFound
	}
	return n.iface, nil
}

func (fixedNet) ListenPacket(string, string) (net.PacketConn, error) { return nil, errNoNetwork }

func (fixedNet) ListenUDP(string, *net.UDPAddr) (transport.UDPConn, error) { return nil, errNoNetwork }

func (fixedNet) ListenTCP(string, *net.TCPAddr) (transport.TCPListener, error) {
	return nil, errNoNetwork
}
func (fixedNet) Dial(string, string) (net.Conn, error) { return nil, errNoNetwork }
func (fixedNet) DialUDP(string, *net.UDPAddr, *net.UDPAddr) (transport.UDPConn, error) {
	return nil, errNoNetwork
}

func (fixedNet) DialTCP(string, *net.TCPAddr, *net.TCPAddr) (transport.TCPConn, error) {
	return nil, errNoNetwork
}
func (fixedNet) ResolveIPAddr(string, string) (*net.IPAddr, error)   { return nil, errNoNetwork }
func (fixedNet) ResolveUDPAddr(string, string) (*net.UDPAddr, error) { return nil, errNoNetwork }
func (fixedNet) ResolveTCPAddr(string, string) (*net.TCPAddr, error) { return nil, errNoNetwork }

func (fixedNet) CreateDialer(*net.Dialer) transport.Dialer { return noSockets{} }

func (fixedNet) CreateListenConfig(*net.ListenConfig) transport.ListenConfig { return noSockets{} }

// noSockets is a dialer and listener that refuses.
type noSockets struct{}

func (noSockets) Dial(string, string) (net.Conn, error) { return nil, errNoNetwork }

func (noSockets) Listen(context.Context, string, string) (net.Listener, error) {
	return nil, errNoNetwork
}

func (noSockets) ListenPacket(context.Context, string, string) (net.PacketConn, error) {
	return nil, errNoNetwork
}

// growBuffers asks for socket buffers that hold a burst: a whole IDR leaves at once. What the kernel does not
// grant costs retransmissions, not correctness, so there is nothing to report.
func growBuffers(conn net.PacketConn) {
	if c, ok := conn.(interface {
		SetReadBuffer(int) error
		SetWriteBuffer(int) error
	}); ok {
		_ = c.SetReadBuffer(socketBuffer)
		_ = c.SetWriteBuffer(socketBuffer)
	}
}
