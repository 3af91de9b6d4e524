package turnserver

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// reach is where relayed packets go: for each address at which browsers are told to find the media, one of this machine.
type reach map[netip.Addr]netip.Addr

// newReach returns the addresses of media bound to bind (zero: all of the machine's), and public, its addresses outside.
func newReach(bind netip.Addr, public []netip.Addr) (reach, error) {
	r := reach{}
	switch {
	case bind.IsValid() && !bind.IsUnspecified():
		r.add(bind, bind)
	default:
		addrs, err := net.InterfaceAddrs()
		if err != nil {
			return nil, fmt.Errorf("turn: list addresses: %w", err)
		}
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			if err != nil || p.Addr().Is6() && p.Addr().IsLinkLocalUnicast() { // whose interface is not known
				continue
			}
			r.add(p.Addr(), p.Addr())
		}
	}
	for _, outside := range public {
		outside = outside.Unmap()
		if _, own := r[outside]; own {
			continue
		}
		if inside := r.inside(outside.Is4()); inside.IsValid() {
			r[outside] = inside
		}
	}
	return r, nil
}

func (r reach) add(a, to netip.Addr) { r[a.Unmap().WithZone("")] = to.Unmap() }

// inside returns the address of this machine that stands for public ones of a family, zero when it has none.
func (r reach) inside(v4 bool) netip.Addr {
	if l := loopback(v4); r[l] == l {
		return l
	}
	var all []netip.Addr
	for a, to := range r {
		if a == to && a.Is4() == v4 {
			all = append(all, a)
		}
	}
	if len(all) == 0 {
		return netip.Addr{}
	}
	return slices.MinFunc(all, netip.Addr.Compare)
}

// family tells whether there are addresses of an IP version.
func (r reach) family(v4 bool) bool {
	for a := range r {
		if a.Is4() == v4 {
			return true
		}
	}
	return false
}

func loopback(v4 bool) netip.Addr {
	if v4 {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.IPv6Loopback()
}
